import { expect } from 'chai';
import { type ClientError, connect, type Transaction } from '../../client/client.ts';
import { all, failureOf } from '../1-client/servers.ts';
import { RealCluster } from './real-cluster.ts';

describe('transactions of the client', function () {
  this.timeout(90_000).slow(20_000);
  const real = RealCluster.forSuite();

  it('do what they read and wrote as one, and see their own changes', async () => {
    const user = real.client();
    await user.remove({ prefix: '/t/' });
    await user.set('/t/a', '1');
    const came = await user.transaction(async tx => {
      expect(await tx.get('/t/a')).to.equal('1');
      expect(await tx.get('/t/none')).to.equal(null);
      tx.set('/t/a', '2');
      tx.set('/t/b', 'new');
      expect(await tx.get('/t/a')).to.equal('2');
      tx.remove('/t/b');
      expect(await tx.get('/t/b')).to.equal(null);
      tx.set('/t/c', 'too');
      return 'done';
    });
    expect(came).to.equal('done');
    const entries = await all(user.list('/t/', { values: true }));
    expect(entries.map(({ key, value }) => [key, value])).to.deep.equal([
      ['/t/a', '2'],
      ['/t/c', 'too'],
    ]);
    expect(new Set(entries.map(({ mod }) => mod)), 'one revision').to.have.property('size', 1);
  });

  it('change nothing when their work fails', async () => {
    const user = real.client();
    await user.set('/fail/a', '1');
    const error = await failureOf(
      user.transaction(tx => {
        tx.set('/fail/a', '2');
        throw new Error('changed my mind');
      }),
    );
    expect(error.message).to.equal('changed my mind');
    expect((await user.get('/fail/a')).value).to.equal('1');
  });

  it('are done again on what is there when something they read was changed', async () => {
    const user = real.client();
    await user.set('/again/a', '1');
    let runs = 0;
    await user.transaction(async tx => {
      runs += 1;
      const value = await tx.get('/again/a');
      if (runs === 1) await user.set('/again/a', '10');
      tx.set('/again/b', `saw ${value}`);
    });
    expect(runs).to.equal(2);
    expect((await user.get('/again/b')).value).to.equal('saw 10');
  });

  it('confirm what they only read, when it is more than one key', async () => {
    const user = real.client();
    await user.set('/read/a', '1');
    let runs = 0;
    const read = await user.transaction(async tx => {
      runs += 1;
      const a = await tx.get('/read/a');
      if (runs === 1) {
        await user.transaction(other => {
          other.set('/read/a', '2');
          other.set('/read/b', '2');
        });
      }
      return [a, await tx.get('/read/b')];
    });
    expect(read, 'not 1 and 2, which were never there together').to.deep.equal(['2', '2']);
  });

  it('end in time, or when their signal is raised, whatever their work is at, and change nothing then', async () => {
    const user = real.client();
    await user.set('/late/a', '1');
    const never = new Promise<never>(() => {});
    const works = [
      () => never,
      async (tx: Transaction) => {
        tx.set('/late/a', '2');
        await new Promise(resolve => setTimeout(resolve, 400));
      },
    ];
    for (const work of works) {
      const late = await failureOf<ClientError>(user.transaction(work, { timeout: 100 }));
      expect(late).to.include({ code: 'TIMEOUT', definite: true });
      const raised = await failureOf(user.transaction(work, { signal: AbortSignal.timeout(100) }));
      expect(raised.name).to.equal('AbortError');
    }
    await new Promise(resolve => setTimeout(resolve, 500));
    expect((await user.get('/late/a')).value).to.equal('1');
  });

  it('say why they could not read, and may take as long as anybody wants', async () => {
    const lost = connect('127.0.0.1:1');
    const read = (tx: Transaction) => tx.get('/a');
    expect(await failureOf<ClientError>(lost.transaction(read, { timeout: 300 }))).to.include({
      code: 'NODE_UNREACHABLE',
    });
    await lost.close();
    const slow = () => new Promise<string>(resolve => setTimeout(resolve, 50, 'done'));
    expect(await real.client().transaction(slow, { timeout: 3_000_000_000 })).to.equal('done');
  });

  it('end when they never get their turn, or their signal is raised', async () => {
    const user = real.client();
    const work = async (tx: {
      get(key: string): Promise<string | null>;
      set(key: string, value: string): void;
    }) => {
      await tx.get('/busy/a');
      await user.set('/busy/a', 'again');
      tx.set('/busy/b', '1');
    };
    const late = await failureOf<ClientError>(user.transaction(work, { timeout: 400 }));
    expect(late).to.include({ code: 'CONFLICT', definite: true, retry: true });
    const abort = new AbortController();
    const running = failureOf<ClientError>(user.transaction(work, { signal: abort.signal }));
    abort.abort();
    expect(await running).to.include({ name: 'AbortError' });
  });

  it('are refused, and not repeated, when what they require does not hold', async () => {
    const user = real.client();
    await user.set('/guard/a', '1');
    let runs = 0;
    const work = (tx: { set(key: string, value: string): void }) => {
      runs += 1;
      tx.set('/guard/b', '1');
    };
    await user.transaction(work, { if: { key: '/guard/a', value: '1' } });
    const refused = await failureOf<ClientError>(
      user.transaction(work, {
        if: [
          { key: '/guard/a', exists: true },
          { key: '/guard/a', value: '2' },
        ],
      }),
    );
    expect(refused).to.include({ code: 'CONFLICT', definite: true, retry: false });
    expect(refused.failure.key).to.equal('/guard/a');
    expect(runs).to.equal(2);
  });

  it('say which limit they are over', async () => {
    const user = real.client();
    const error = await failureOf<ClientError>(
      user.transaction(tx => {
        for (let n = 0; n < 129; n += 1) tx.set(`/many/${n}`, '');
      }),
    );
    expect(error).to.include({ code: 'BAD_REQUEST' });
    expect(error.message).to.include('128 changes');
  });
});
