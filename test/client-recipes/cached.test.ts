import { expect } from 'chai';
import type { CacheChange, ClientError, WatchUpdate } from '../../client/client.ts';
import { all, failureOf } from '../1-client/servers.ts';
import { eventually, RealCluster } from './real-cluster.ts';

describe('caches and watches of the client', function () {
  this.timeout(120_000).slow(30_000);
  const real = RealCluster.forSuite();

  it('hold what is there, and become what it becomes', async () => {
    const user = real.client();
    await user.set('/c/a', '1');
    await user.set('/c/b', '2');
    const cache = real.client().cached('/c/');
    expect(cache.get('/c/a'), 'not yet').to.equal(undefined);
    await cache.ready;
    expect(cache.entries()).to.deep.equal(await all(user.list('/c/', { values: true })));
    const heard: (readonly CacheChange[])[] = [];
    const stop = cache.onChange(changes => heard.push(changes));
    await user.set('/c/a', '10');
    await user.transaction(tx => {
      tx.remove('/c/b');
      tx.set('/c/0', 'new');
    });
    await user.set('/elsewhere', '1');
    await eventually('it has heard', () => heard.length === 2);
    expect(heard[0]?.map(({ key, before, entry }) => [key, before?.value, entry?.value])).to.deep.equal([
      ['/c/a', '1', '10'],
    ]);
    expect(heard[1], 'one revision, all at once').to.have.length(2);
    expect(cache.entries()).to.deep.equal(await all(user.list('/c/', { values: true })));
    expect(cache.size).to.equal(2);
    expect(cache.get('/c/b')).to.equal(undefined);
    stop();
    cache.close();
    await user.set('/c/a', '11');
    expect(cache.get('/c/a'), 'what was there when it was closed').to.equal('10');
    const late = real.client().cached('/c/');
    late.close();
    expect(await failureOf<ClientError>(late.ready)).to.include({ code: 'SHUTTING_DOWN' });
  });

  it('end up equal to the store through the death of the leader and a partition', async () => {
    const [leader = '', ...others] = await real.idsFromLeader();
    const user = real.client();
    await user.remove({ prefix: '/storm/' });
    const cache = real.client([leader, ...others]).cached('/storm/');
    await cache.ready;
    let count = 0;
    const write = async (times: number) => {
      for (let n = 0; n < times; n += 1) {
        count += 1;
        await user.set(`/storm/${count % 17}`, String(count), { timeout: 30_000 });
        if (count % 5 === 0) await user.remove(`/storm/${(count * 7) % 17}`, { timeout: 30_000 });
      }
    };
    await write(100);
    await real.cluster.node(leader).kill();
    await write(100);
    await real.cluster.node(leader).start();
    const [next = '', ...rest] = await real.idsFromLeader();
    real.cluster.partition([[next], rest]);
    await write(100);
    const { rev } = await user.set('/storm/last', 'yes', { timeout: 30_000 });
    await eventually('it has come', () => cache.rev >= rev);
    expect(cache.entries()).to.deep.equal(await all(user.list('/storm/', { values: true })));
  });

  it('hear every revision once, in order and whole, through deaths, partitions and restarts of all', async () => {
    const user = real.client();
    const { rev } = await user.set('/every/0', '0');
    const heard: WatchUpdate[] = [];
    const abort = new AbortController();
    const watching = (async () => {
      for await (const update of real.client().watch('/every/', { from: rev, signal: abort.signal })) {
        heard.push(update);
      }
    })();
    const written: number[] = [rev];
    const write = async (times: number) => {
      const replies = await Promise.all(
        Array.from({ length: times }, (_, n) => user.txn(both(n), { timeout: 60_000 })),
      );
      for (const reply of replies) written.push(reply.rev);
    };
    await write(50);
    const [leader = ''] = await real.idsFromLeader();
    await real.cluster.node(leader).kill();
    await write(50);
    await real.cluster.node(leader).start();
    await real.idsFromLeader();
    await Promise.all(real.cluster.nodes.map(node => node.kill()));
    await Promise.all(real.cluster.nodes.map(node => node.start()));
    await write(50);
    const [next = '', ...rest] = await real.idsFromLeader();
    real.cluster.partition([[next], rest]);
    await write(50);
    await eventually('all has been heard', () => heard.length === written.length);
    expect(heard.map(update => update.rev)).to.deep.equal(written.sort((a, b) => a - b));
    for (const update of heard.slice(1)) {
      expect(update.type === 'events' && update.events.length, 'both keys of each').to.equal(2);
    }
    abort.abort();
    expect(await failureOf<ClientError>(watching)).to.include({ name: 'AbortError' });
  });

  it('begin anew with what is there when the past is compacted', async () => {
    const user = real.client();
    await user.remove({ prefix: '/past/' });
    const { rev } = await user.set('/past/kept', 'yes');
    await user.set('/past/gone', 'soon');
    const more = Array.from({ length: 10_500 }, (_, n) =>
      user.set(`/filler/${n % 100}`, '', { timeout: 60_000 }),
    );
    await Promise.all(more);
    await user.remove('/past/gone');
    const updates = user.watch('/past/', { from: rev });
    const first = (await updates.next()).value as WatchUpdate;
    expect(first).to.include({ type: 'reset' });
    expect(first.type === 'reset' && first.entries.map(({ key }) => key)).to.deep.equal(['/past/kept']);
    await user.set('/past/new', '1');
    const second = (await updates.next()).value as WatchUpdate;
    expect(second.type === 'events' && second.events.map(({ key }) => key)).to.deep.equal(['/past/new']);
    await updates.return();
  });

  it('tell who leads the cluster, and who leads it next', async () => {
    const [leader = '', ...others] = await real.idsFromLeader();
    const events: string[] = [];
    const abort = new AbortController();
    const watching = (async () => {
      for await (const event of real.client(others).watchCluster({ signal: abort.signal })) {
        if (event.type === 'leader' && event.id !== null) events.push(event.id);
      }
    })();
    await eventually('it is told of this one', () => events.includes(leader));
    await real.cluster.node(leader).kill();
    await eventually('it is told of another', () => events.at(-1) !== leader);
    expect(others).to.include(events.at(-1));
    abort.abort();
    expect(await failureOf<ClientError>(watching)).to.include({ name: 'AbortError' });
  });

  const set = (key: string) => ({ op: 'set', key, value: '1' }) as const;
  // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
  const both = (n: number) => ({ then: [set(`/every/${n}`), set('/every/both')] });
});
