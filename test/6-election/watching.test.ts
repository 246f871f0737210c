import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Cluster } from '../../lab/cluster.ts';
import { askOf, eventually, leaderOf } from '../shared/cluster.ts';
import { LineClient, type Reply } from '../shared/line-client.ts';

const WATCHERS = 1_000;
const PATIENCE = 20_000;

describe('watches of real nodes', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let data: string;
  let leader: string;
  const clients: LineClient[] = [];
  const ask = askOf(() => cluster);

  async function connect(id: string): Promise<LineClient> {
    const client = await LineClient.connect(cluster.node(id).address);
    clients.push(client);
    return client;
  }

  const others = () => cluster.ids.filter(id => id !== leader);

  /** Sets a key at any node, again and again until it is acknowledged; returns its revision. */
  async function set(ids: readonly string[], key: string, value: string): Promise<number> {
    let rev = 0;
    await eventually(`${key} is set`, async () => {
      for (const id of ids) {
        const reply = await ask(id, { op: 'set', key, value }).catch(() => undefined);
        if (reply?.ok === true) rev = reply.mod;
        if (rev > 0) return true;
      }
      return false;
    });
    return rev;
  }

  /** Every event that a client is pushed up to a revision. */
  async function eventsUpTo(client: LineClient, rev: number): Promise<Reply[]> {
    const pushes: Reply[] = [];
    while ((pushes.at(-1)?.rev ?? 0) < rev) {
      const push = await client.reply(PATIENCE);
      if (push.events !== undefined) pushes.push(push);
    }
    return pushes;
  }

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    cluster = await Cluster.start({ stage: 6, nodes: 3, data });
    leader = await leaderOf(cluster.ids, ask);
    await set([leader], '/ready', '');
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.close()));
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  });

  it('show the same revisions at every node, from one that the node asked may not have yet', async () => {
    const watchers = await Promise.all(cluster.ids.map(connect));
    const first = await set([leader], '/a', '0');
    for (const watcher of watchers) {
      expect(await watcher.ask({ op: 'watch', prefix: '/a', from: first + 1 })).to.include({ ok: true });
    }
    let last = first;
    for (let n = 1; n <= 50; n += 1) last = await set(cluster.ids, '/a', String(n));
    const seen = await Promise.all(watchers.map(watcher => eventsUpTo(watcher, last)));
    for (const pushes of seen) {
      expect(pushes.map(({ rev }) => rev)).to.deep.equal(Array.from({ length: 50 }, (_, n) => first + 1 + n));
      expect(pushes).to.deep.equal(seen[0]);
    }
  });

  it('go on at another node when the leader is killed, without a gap and without a repetition', async () => {
    const first = await set([leader], '/a', 'first');
    const watcher = await connect(leader);
    await watcher.ask({ op: 'watch', prefix: '/a', from: first });
    for (let n = 0; n < 20; n += 1) await set([leader], `/a/${n}`, '');
    const seen = await eventsUpTo(watcher, first + 5);
    const rest = others();
    const writing = (async () => {
      let last = 0;
      for (let n = 20; n < 40; n += 1) last = await set(rest, `/a/${n}`, '');
      return last;
    })();
    await cluster.node(leader).kill();
    const resumed = await connect(rest[0] ?? '');
    const from = (seen.at(-1)?.rev ?? 0) + 1;
    expect(await resumed.ask({ op: 'watch', prefix: '/a', from }, PATIENCE)).to.include({ ok: true });
    seen.push(...(await eventsUpTo(resumed, await writing)));
    const revs = seen.map(({ rev }) => rev ?? 0);
    expect(revs).to.deep.equal(Array.from({ length: revs.length }, (_, n) => first + n));
    expect(seen.flatMap(({ events }) => events).filter(({ version }) => version === 1).length).to.be.at.least(
      41,
    );
  });

  it('begin in the past of a cluster that was stopped and started again', async () => {
    const first = await set([leader], '/a', 'one');
    const last = await set([leader], '/a', 'two');
    await Promise.all(cluster.nodes.map(node => node.kill()));
    await Promise.all(cluster.nodes.map(node => node.restart()));
    leader = await leaderOf(cluster.ids, ask);
    for (const id of cluster.ids) {
      const watcher = await connect(id);
      expect(await watcher.ask({ op: 'watch', key: '/a', from: first }, PATIENCE)).to.include({ ok: true });
      const values = (await eventsUpTo(watcher, last)).map(({ events }) => events[0].value);
      expect(values).to.deep.equal(['one', 'two']);
    }
  });

  it('begin no further back than a node was told to remember', async () => {
    await cluster.stop();
    cluster = await Cluster.start({
      stage: 6,
      nodes: 1,
      data: join(data, 'one'),
      flags: ['--history-revisions', '5'],
    });
    leader = await leaderOf(cluster.ids, ask);
    let last = 0;
    for (let n = 0; n < 20; n += 1) last = await set([leader], '/a', String(n));
    const watcher = await connect(leader);
    const { error } = await watcher.ask({ op: 'watch', key: '/a', from: last - 5 });
    expect(error).to.include({ code: 'COMPACTED', compacted: last - 5, definite: true, retry: false });
    expect(await watcher.ask({ op: 'watch', key: '/a', from: last - 4 })).to.include({ ok: true });
    expect(await eventsUpTo(watcher, last)).to.have.length(5);
  });

  it('show who leads, and who leads then', async () => {
    const [id = ''] = others();
    const watcher = await connect(id);
    await watcher.ask({ op: 'watch', cluster: true });
    const [now, members] = (await watcher.reply()).events;
    expect(now).to.include({ type: 'leader', id: leader, address: cluster.node(leader).address });
    expect(members.members.map((member: Reply) => member.id)).to.deep.equal(cluster.ids);
    await cluster.node(leader).kill();
    let event = now;
    while (event.id === leader || event.id === null)
      [event] = (await watcher.reply(PATIENCE)).events ?? [event];
    expect(event).to.include({ type: 'leader' });
    expect(event.id).to.be.oneOf(others());
    expect(event.term).to.be.greaterThan(now.term);
  });

  it(`of ${WATCHERS} clients on one prefix are all told, and changes go on meanwhile`, async () => {
    const [id = ''] = others();
    const watchers: LineClient[] = [];
    while (watchers.length < WATCHERS) {
      watchers.push(...(await Promise.all(Array.from({ length: 100 }, () => connect(id)))));
    }
    for (const watcher of watchers) watcher.send({ op: 'watch', prefix: '/a/' });
    for (const watcher of watchers) expect((await watcher.reply(PATIENCE)).ok).to.equal(true);
    expect((await ask(id, { op: 'status' })).watches).to.equal(WATCHERS);
    let last = 0;
    for (let n = 0; n < 20; n += 1) last = await set([id], `/a/${n}`, 'x'.repeat(100));
    const seen = await Promise.all(watchers.map(watcher => eventsUpTo(watcher, last)));
    for (const pushes of seen)
      expect(pushes.map(({ rev }) => rev)).to.deep.equal(seen[0]?.map(({ rev }) => rev));
    expect(seen[0]).to.have.length(20);
  });

  it('of a client that does not read end with SLOW_CONSUMER, and nobody else is slowed', async () => {
    const [id = ''] = others();
    const [deaf, quick] = [await connect(id), await connect(id)];
    for (const watcher of [deaf, quick]) await watcher.ask({ op: 'watch', prefix: '/a' });
    deaf.socket.pause();
    const first = await set([leader], '/a', '');
    const value = 'x'.repeat(400_000);
    const values = 100;
    let last = 0;
    for (let n = 0; n < values; n += 1) last = await set([leader], '/a', value);
    expect(await eventsUpTo(quick, last)).to.have.length(values + 1);
    // What has reached this end of the connection is no longer the node's: the rest goes on, and the watch does not.
    deaf.socket.resume();
    const seen: Reply[] = [];
    while (seen.at(-1)?.closed === undefined) seen.push(await deaf.reply(PATIENCE));
    const { code, resume } = seen.pop()?.closed ?? {};
    expect(code).to.equal('SLOW_CONSUMER');
    expect(seen.map(({ rev }) => rev)).to.deep.equal(
      Array.from({ length: seen.length }, (_, n) => first + n),
    );
    expect(resume).to.equal(first + seen.length);
    expect(await deaf.ask({ op: 'get', key: '/a' })).to.include({ mod: last });
    expect(await deaf.ask({ op: 'watch', prefix: '/a', from: resume })).to.include({ ok: true, watch: 2 });
    expect(await eventsUpTo(deaf, last)).to.have.length(last - resume + 1);
  });

  it('end with a node that is stopped, and say where to go on', async () => {
    const [id = ''] = others();
    const watcher = await connect(id);
    await watcher.ask({ op: 'watch', prefix: '/a' });
    const rev = await set([id], '/a', '');
    await eventsUpTo(watcher, rev);
    await cluster.node(id).stop();
    const lines = (await watcher.rest(PATIENCE)).map(line => JSON.parse(line));
    expect(lines.at(-1)?.closed).to.include({ code: 'SHUTTING_DOWN', resume: rev + 1 });
  });
});
