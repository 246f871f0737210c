import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Cluster } from '../../lab/cluster.ts';
import { askOf, eventually, leaderOf } from '../shared/cluster.ts';
import { LineClient } from '../shared/line-client.ts';

describe('a node of a cluster', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  let data: string;
  let leader = '';
  let follower = '';
  const ask = askOf(() => cluster);

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    cluster = await Cluster.start({ stage: 6, nodes: 3, data });
    leader = await leaderOf(cluster.ids, ask);
    follower = cluster.ids.find(id => id !== leader) ?? '';
    await eventually('it is known', async () => (await ask(follower, { op: 'get', key: '/a' })).ok);
  });
  afterEach(async () => {
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  });

  for (const role of ['leader', 'follower']) {
    it(`that is told to stop answers what is under way first (${role})`, async () => {
      const id = role === 'leader' ? leader : follower;
      cluster.delay(leader, 100); // so that something is under way
      const client = await LineClient.connect(cluster.node(id).address);
      const lines = [1, 2, 3, 4].map(number => ({ op: 'set', key: `/a/${number}`, value: '1' }));
      client.send({ op: 'ping' }, ...lines);
      await client.line();
      const stopped = cluster.node(id).stop();
      const replies = (await client.rest()).map(line => JSON.parse(line));
      expect(replies.map(({ ok }) => ok)).to.deep.equal([true, true, true, true]);
      await stopped;
      expect(cluster.node(id).exit).to.include({ status: 0 });
    });
  }

  it('that is told to stop, and cannot finish what it began, says that the outcome is unknown', async () => {
    const others = cluster.ids.filter(id => id !== leader);
    for (const id of others) cluster.node(id).pause();
    const client = await LineClient.connect(cluster.node(leader).address);
    client.send({ op: 'ping' }, { op: 'set', key: '/a', value: '1' });
    await client.line();
    const stopped = cluster.node(leader).stop();
    const [reply] = (await client.rest()).map(line => JSON.parse(line));
    expect(reply.error).to.include({ definite: false });
    await stopped;
    for (const id of others) cluster.node(id).resume();
  });

  it('that does not lead, and may not pass a request on, names the leader', async () => {
    const expected = {
      code: 'NOT_LEADER',
      definite: true,
      leader: { id: leader, address: cluster.node(leader).address },
    };
    for (const request of [
      { op: 'get', key: '/a' },
      { op: 'list' },
      { op: 'set', key: '/a', value: '1' },
      { op: 'remove', key: '/a' },
      { op: 'transfer-leader' },
    ]) {
      const { error } = await ask(follower, { ...request, forward: false });
      expect(error, request.op).to.deep.include(expected);
    }
    expect(await ask(follower, { op: 'get', key: '/a', read: 'stale', forward: false })).to.include({
      ok: true,
    });
    expect(await ask(leader, { op: 'get', key: '/a', forward: false })).to.include({ ok: true });
  });

  it('keeps its lead while a client asks for more pages than it reads', async () => {
    const client = await LineClient.connect(cluster.node(leader).address);
    const value = 'x'.repeat(500);
    for (let key = 0; key < 2_000; key += 1) client.send({ id: key, op: 'set', key: `/k/${key}`, value });
    for (let key = 0; key < 2_000; key += 1) await client.line();
    const { term } = await ask(leader, { op: 'status' });
    client.socket.pause();
    for (let id = 0; id < 500; id += 1) client.send({ id, op: 'list', values: true, limit: 10_000 });
    for (let ping = 0; ping < 20; ping += 1) expect((await ask(leader, { op: 'ping' })).ok).to.equal(true);
    await eventually('time passes', async () => (await ask(leader, { op: 'get', key: '/k/1' })).ok);
    expect(await ask(leader, { op: 'status' })).to.include({ role: 'leader', term });
    client.reset();
  });
});
