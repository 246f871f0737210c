import { expect } from 'chai';
import { eventually } from '../shared/cluster.ts';
import { LineClient } from '../shared/line-client.ts';
import { MemberCluster } from './member-cluster.ts';

describe('stage 8: a node that is removed', function () {
  this.timeout(60_000);
  let cluster: MemberCluster;

  beforeEach(async () => {
    cluster = await MemberCluster.of('n1', 'n2', 'n3');
  });
  afterEach(() => cluster.close());

  const others = (id: string) => ['n1', 'n2', 'n3'].filter(other => other !== id);

  for (const role of ['follower', 'leader']) {
    it(`knows it, says so, and disturbs nobody (${role})`, async () => {
      const leader = await cluster.leader();
      const [follower = ''] = others(leader);
      const gone = role === 'leader' ? leader : follower;
      const stay = others(gone);
      const reply = await cluster.remove(gone, leader);
      expect(reply.ok, JSON.stringify(reply)).to.equal(true);
      expect(reply.members.map(({ id }: { id: string }) => id)).to.have.members(stay);
      await eventually('it knows', async () => (await cluster.status(gone)).removed === true);
      const status = await cluster.status(gone);
      expect(status).to.include({ role: 'learner' });
      expect(status.notice).to.contain('was removed');
      const next = await cluster.leader(...stay);
      const { term } = await cluster.status(next);
      expect(await cluster.set(next, '/a', '1')).to.include({ ok: true });
      await cluster.stop(gone);
      await cluster.start(gone);
      await eventually('it is told again', async () => (await cluster.status(gone)).removed === true);
      for (let count = 0; count < 30; count += 1)
        expect((await cluster.set(stay[0] ?? '', '/a', String(count))).ok).to.equal(true);
      expect(await cluster.status(next)).to.include({ role: 'leader', term });
    });
  }

  it('sends whoever asks it elsewhere', async () => {
    const leader = await cluster.leader();
    const [gone = ''] = others(leader);
    await cluster.stop(gone);
    await cluster.remove(gone, leader);
    await cluster.start(gone);
    // As long as the leader still speaks to it, it passes on what it is asked.
    await eventually('it is left alone', async () => !(await cluster.set(gone, '/a', '1')).ok);
    const { error } = await cluster.set(gone, '/a', '1');
    expect(error).to.include({ code: 'NOT_LEADER', definite: true, retry: true, leader: null });
    expect((await cluster.ask(gone, { op: 'get', key: '/a' })).error).to.include({ code: 'NOT_LEADER' });
  });

  it('ends the watches there, and names the revision from which to go on elsewhere', async () => {
    const leader = await cluster.leader();
    const [gone = ''] = others(leader);
    const watcher = await LineClient.connect(cluster.address(gone));
    const { watch, rev = 0 } = await watcher.ask({ op: 'watch', prefix: '' });
    await cluster.remove(gone, leader);
    const { closed } = JSON.parse(await watcher.line());
    expect(closed).to.include({ code: 'NOT_LEADER', removed: true, resume: rev + 1 });
    const again = await watcher.ask({ op: 'watch', prefix: '', from: rev + 1 });
    expect(again.error, `instead of ${watch}`).to.include({ code: 'NOT_LEADER', removed: true });
    await watcher.close();
  });

  it('can come back with what it has, when it is added again', async () => {
    const leader = await cluster.leader();
    const [gone = ''] = others(leader);
    await cluster.remove(gone, leader);
    await eventually('it knows', async () => (await cluster.status(gone)).removed === true);
    // It does so still when nothing in its log tells of it any more.
    const limits = { entries: 1_000_000, bytes: 1_000_000_000, tail: 0 };
    await cluster.stop(gone);
    await cluster.start(gone, { limits });
    expect((await cluster.ask(gone, { op: 'snapshot' })).ok).to.equal(true);
    expect(await cluster.status(gone)).to.include({ removed: true });
    await cluster.stop(gone);
    await cluster.start(gone, { limits });
    expect(await cluster.status(gone)).to.include({ removed: true });
    expect((await cluster.add(gone, leader)).ok).to.equal(true);
    expect((await cluster.vote(['n1', 'n2', 'n3'], leader)).ok).to.equal(true);
    await eventually('it votes again', async () => (await cluster.status(gone)).role === 'follower');
    expect(await cluster.status(gone)).to.not.have.property('removed');
  });

  it('can come back with nothing, at once, and is sent everything', async () => {
    const leader = await cluster.leader();
    const [gone = ''] = others(leader);
    await cluster.set(leader, '/a', '1');
    await cluster.agree('n1', 'n2', 'n3');
    await cluster.stop(gone);
    cluster.wipe(gone);
    const nodes = ['n1', 'n2', 'n3'].map(id => ({ id, address: cluster.address(id) }));
    await cluster.start(gone, { nodes });
    // A member it is already, and not this one, although it believes so itself.
    const { error } = await cluster.add(gone, leader);
    expect(error).to.include({ code: 'CLUSTER_MISMATCH', definite: true });
    expect(error?.message).to.contain('remove-node');
    expect((await cluster.remove(gone, leader)).ok).to.equal(true);
    await cluster.stop(gone);
    cluster.wipe(gone);
    await cluster.start(gone);
    expect((await cluster.add(gone, leader)).ok).to.equal(true);
    const reply = await cluster.vote(['n1', 'n2', 'n3'], leader);
    expect(reply.ok, JSON.stringify(reply)).to.equal(true);
    await cluster.agree('n1', 'n2', 'n3');
  });

  it('may be removed twice, and is gone once; one that never was is unknown', async () => {
    const leader = await cluster.leader();
    const [gone = ''] = others(leader);
    expect((await cluster.remove(gone, leader)).ok).to.equal(true);
    expect((await cluster.remove(gone, leader)).ok).to.equal(true);
    expect((await cluster.remove('n7', leader)).error).to.include({ code: 'UNKNOWN_NODE', definite: true });
  });

  it('may not be the last voter', async () => {
    const leader = await cluster.leader();
    expect((await cluster.vote([leader])).ok).to.equal(true);
    const { error } = await cluster.remove(leader, leader);
    expect(error).to.include({ code: 'BAD_REQUEST', definite: true });
    expect((await cluster.set(leader, '/a', '1')).ok).to.equal(true);
  });
});

describe('stage 8: a change of voters', function () {
  this.timeout(60_000);
  let cluster: MemberCluster;

  beforeEach(async () => {
    cluster = await MemberCluster.of('n1', 'n2', 'n3');
  });
  afterEach(() => cluster.close());

  it('names members only', async () => {
    const { error } = await cluster.vote(['n1', 'n2', 'n8']);
    expect(error).to.include({ code: 'UNKNOWN_NODE', definite: true });
    expect(error?.message).to.contain('add-learner');
  });

  for (const [members, words] of [
    [[], 'not empty'],
    [['n1', 'n1'], 'twice'],
    ['n1', 'list'],
    [[1], 'node id'],
  ] as const) {
    it(`is refused when its list is ${JSON.stringify(members)}`, async () => {
      const { error } = await cluster.ask('n1', { op: 'change-membership', members });
      expect(error).to.include({ code: 'BAD_REQUEST', definite: true });
      expect(error?.message).to.contain(words);
    });
  }

  it('to what is so already is done at once', async () => {
    // What a cluster writes as it begins, or after an election, may come between once, and not every time.
    await eventually('it leaves no entry', async () => {
      const { last } = (await cluster.status(await cluster.leader())).log;
      expect((await cluster.vote(['n3', 'n2', 'n1'])).ok).to.equal(true);
      return (await cluster.status(await cluster.leader())).log.last === last;
    });
  });

  it('that would leave no majority within reach is refused, with the reason, unless forced', async () => {
    const leader = await cluster.leader();
    const [gone = '', other = ''] = ['n1', 'n2', 'n3'].filter(id => id !== leader);
    await cluster.stop(gone);
    await eventually('it is missed', async () => {
      const { members } = await cluster.status(leader);
      return members.find(({ id }: { id: string }) => id === gone)?.active === false;
    });
    const { error } = await cluster.remove(other, leader);
    expect(error).to.include({ code: 'NO_QUORUM', definite: true });
    expect(error?.message).to.contain(gone).and.to.contain('force');
    expect((await cluster.set(leader, '/a', '1')).ok).to.equal(true);
    const forced = cluster.ask(leader, { op: 'remove-node', node: other, force: true, timeout: 15_000 });
    await eventually('it is under way', async () => {
      const second = await cluster.ask(leader, { op: 'remove-node', node: gone });
      return second.error?.code === 'CHANGE_IN_PROGRESS';
    });
    // Without the node that is away it cannot be finished; whoever leads when it is back does that.
    await cluster.start(gone);
    await forced;
    await eventually('it is done', async () => {
      const { members } = await cluster.ask(gone, { op: 'members' });
      return members.length === 2 && members.every(({ id }: { id: string }) => id !== other);
    });
    expect((await cluster.set(gone, '/a', '2')).ok).to.equal(true);
  });

  it('waits for a voter that is new until it has caught up, and gives up in time without a trace', async () => {
    await cluster.start('n4');
    await cluster.add('n4');
    await cluster.stop('n4');
    const leader = await cluster.leader();
    await cluster.set(leader, '/a', '1');
    const { last } = (await cluster.status(leader)).log;
    const late = await cluster.ask(leader, {
      op: 'change-membership',
      members: ['n1', 'n2', 'n3', 'n4'],
      timeout: 1_500,
    });
    expect(late.error).to.include({ code: 'TIMEOUT', definite: true });
    expect(late.error?.message).to.contain('n4');
    expect((await cluster.status(leader)).log.last).to.equal(last);
    const patient = cluster.vote(['n1', 'n2', 'n3', 'n4'], leader);
    await cluster.start('n4');
    expect((await patient).ok).to.equal(true);
  });

  it('hands no leadership to a learner', async () => {
    await cluster.start('n4');
    await cluster.add('n4');
    const { error } = await cluster.ask('n1', { op: 'transfer-leader', to: 'n4' });
    expect(error).to.include({ code: 'UNKNOWN_NODE', definite: true });
  });
});
