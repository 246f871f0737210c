import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import split2 from 'split2';
import type { CacheChange, Client, ClientError, WatchUpdate } from '../../client/client.ts';
import { all, failureOf } from '../1-client/servers.ts';
import { eventually, RealCluster } from './real-cluster.ts';

const READER = fileURLToPath(new URL('watch-reader.js', import.meta.url));

/** The revisions that the nodes keep for watches. */
const HISTORY = 1_000;

describe('caches and watches of the client', function () {
  this.timeout(120_000).slow(30_000);
  const real = RealCluster.forSuite({ flags: ['--history-revisions', String(HISTORY)] });

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
    const { rev } = await user.txn({
      // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
      then: [
        { op: 'set', key: '/c/moment', value: '1' },
        { op: 'remove', key: '/c/moment' },
      ],
    });
    await eventually('it has heard', () => cache.rev === rev);
    expect(heard, 'what came and went changed nothing').to.have.length(2);
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

  it('hear every revision once, in order and whole, when all nodes are killed and started again', async () => {
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
    await Promise.all(real.cluster.nodes.map(node => node.kill()));
    await Promise.all(real.cluster.nodes.map(node => node.start()));
    await write(50);
    await eventually('all has been heard', () => heard.length === written.length);
    expect(heard.map(update => update.rev)).to.deep.equal(written.sort((a, b) => a - b));
    for (const update of heard.slice(1)) {
      expect(update.type === 'events' && update.events.length, 'both keys of each').to.equal(2);
    }
    abort.abort();
    expect(await failureOf<ClientError>(watching)).to.include({ name: 'AbortError' });
  });

  /** Makes more revisions than the nodes keep. */
  const compactThePast = (user: Client) =>
    Promise.all(
      Array.from({ length: HISTORY + 100 }, (_, n) =>
        user.set(`/filler/${n % 100}`, '', { timeout: 60_000 }),
      ),
    );

  it('begin anew with what is there when the past is compacted', async () => {
    const user = real.client();
    await user.remove({ prefix: '/past/' });
    const { rev } = await user.set('/past/kept', 'yes');
    await user.set('/past/gone', 'soon');
    await compactThePast(user);
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

  it('go on by themselves when their process stood still until its node closed them as too slow', async () => {
    const user = real.client();
    const [id = ''] = real.cluster.ids;
    const node = real.client([id]);
    const { rev } = await user.set('/slow/begin', '');
    const args = [READER, real.cluster.node(id).address, '/slow/', String(rev)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 90_000 });
    try {
      const heard: { readonly type: string; readonly rev: number; readonly keys: readonly string[] }[] = [];
      child.stdout.pipe(split2()).on('data', (line: string) => heard.push(JSON.parse(line)));
      await eventually('it reads', () => heard.length === 1);
      const written = [rev];
      const standStill = async (meanwhile?: () => Promise<unknown>) => {
        child.kill('SIGSTOP');
        while ((await node.status()).watches > 0) {
          written.push((await user.set('/slow/large', 'x'.repeat(500_000))).rev);
        }
        await meanwhile?.();
        child.kill('SIGCONT');
      };
      await standStill();
      await eventually('it has caught up', () => heard.at(-1)?.rev === written.at(-1));
      expect(heard.map(update => update.rev)).to.deep.equal(written);

      await standStill(() => compactThePast(user));
      await eventually('it has begun anew', () => heard.at(-1)?.type === 'reset');
      expect(heard.at(-1)?.keys).to.deep.equal(['/slow/begin', '/slow/large']);
      const before = heard.slice(0, -1).map(update => update.rev);
      expect(before, 'what it had been sent by then').to.deep.equal(written.slice(0, before.length));
      const last = await user.set('/slow/last', '');
      await eventually('it goes on', () => heard.at(-1)?.rev === last.rev);
      expect(heard.filter(({ type }) => type === 'reset')).to.have.length(1);
    } finally {
      child.kill('SIGKILL');
    }
  });

  const set = (key: string) => ({ op: 'set', key, value: '1' }) as const;
  // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
  const both = (n: number) => ({ then: [set(`/every/${n}`), set('/every/both')] });
});
