import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Cluster } from '../../lab/cluster.ts';
import { askOf, eventually, leaderOf } from '../shared/cluster.ts';

describe('leadership between real nodes', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  let data: string;
  const ask = askOf(() => cluster);

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    cluster = await Cluster.start({ stage: 6, nodes: 3, data });
  });
  afterEach(async () => {
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  });

  it('is handed to the node that is named, whichever node is asked', async () => {
    const leader = await leaderOf(cluster.ids, ask);
    const [one = '', other = ''] = cluster.ids.filter(id => id !== leader);
    await eventually('they know each other', async () => (await ask(one, { op: 'get', key: '/a' })).ok);
    const reply = await ask(one, { op: 'transfer-leader', to: other });
    expect(reply.leader).to.deep.equal({ id: other, address: cluster.node(other).address });
    expect(await leaderOf(cluster.ids, ask)).to.equal(other);
  });

  it('is handed to some node when none is named', async () => {
    const leader = await leaderOf(cluster.ids, ask);
    const reply = await ask(leader, { op: 'transfer-leader' });
    expect(reply.ok, JSON.stringify(reply)).to.equal(true);
    expect(reply.leader.id).to.not.equal(leader);
  });

  it('stays where it is when the successor cannot take it, and writes go on', async () => {
    const leader = await leaderOf(cluster.ids, ask);
    const [away = ''] = cluster.ids.filter(id => id !== leader);
    await cluster.node(away).kill();
    await ask(leader, { op: 'set', key: '/a', value: '1' });
    const { error } = await ask(leader, { op: 'transfer-leader', to: away });
    expect(error?.code).to.equal('TIMEOUT');
    expect(await ask(leader, { op: 'set', key: '/a', value: '2' })).to.include({ ok: true });
    expect(await ask(leader, { op: 'status' })).to.include({ role: 'leader' });
  });

  it('is not handed to someone who is no member', async () => {
    const leader = await leaderOf(cluster.ids, ask);
    const { error } = await ask(leader, { op: 'transfer-leader', to: 'nobody' });
    expect(error).to.include({ code: 'UNKNOWN_NODE', definite: true });
  });

  it('is not lost to a node that comes back from isolation', async () => {
    const leader = await leaderOf(cluster.ids, ask);
    const [isolated = ''] = cluster.ids.filter(id => id !== leader);
    cluster.partition([[isolated], cluster.ids.filter(id => id !== isolated)]);
    await eventually(
      'it looks for votes',
      async () => (await ask(isolated, { op: 'status' })).role === 'candidate',
    );
    const { term } = await ask(leader, { op: 'status' });
    cluster.heal();
    await eventually('it follows', async () => (await ask(isolated, { op: 'status' })).leader?.id === leader);
    expect(await ask(leader, { op: 'status' })).to.include({ role: 'leader', term });
  });

  it('passes on when the leader can send but not receive', async () => {
    const leader = await leaderOf(cluster.ids, ask);
    for (const id of cluster.ids) if (id !== leader) cluster.cut(id, leader);
    const others = cluster.ids.filter(id => id !== leader);
    await eventually('another leads', async () => {
      const statuses = await Promise.all(others.map(id => ask(id, { op: 'status' })));
      return statuses.some(({ role }) => role === 'leader');
    });
    expect((await ask(leader, { op: 'status' })).role).to.not.equal('leader');
  });

  it('passes on when the leader can receive but not send', async () => {
    const leader = await leaderOf(cluster.ids, ask);
    for (const id of cluster.ids) if (id !== leader) cluster.cut(leader, id);
    const others = cluster.ids.filter(id => id !== leader);
    await eventually('another leads', async () => {
      const statuses = await Promise.all(others.map(id => ask(id, { op: 'status' })));
      return statuses.some(({ role }) => role === 'leader');
    });
  });
});
