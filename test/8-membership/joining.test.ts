import { expect } from 'chai';
import { eventually } from '../shared/cluster.ts';
import { MemberCluster, NOWHERE } from './member-cluster.ts';

describe('stage 8: a node that is added', function () {
  this.timeout(60_000);
  let cluster: MemberCluster;

  beforeEach(async () => {
    cluster = await MemberCluster.of('n1', 'n2');
  });
  afterEach(() => cluster.close());

  const rolesAt = async (id: string) => {
    const { members } = await cluster.ask(id, { op: 'members' });
    return Object.fromEntries(
      members.map(({ id: node, role }: { id: string; role: string }) => [node, role]),
    );
  };

  it('is a learner first: it is sent everything, answers reads, and counts for nothing', async () => {
    await cluster.set('n1', '/a', '1');
    await cluster.start('n3');
    expect(await cluster.status('n3')).to.include({ role: 'uninitialised' });
    const reply = await cluster.add('n3', 'n2');
    expect(reply.ok, JSON.stringify(reply)).to.equal(true);
    expect(reply.members).to.have.length(3);
    await eventually('it knows', async () => (await cluster.status('n3')).role === 'learner');
    await eventually('it has it', async () => {
      const { value } = await cluster.ask('n3', { op: 'get', key: '/a', read: 'stale' });
      return value === '1';
    });
    expect((await cluster.ask('n3', { op: 'get', key: '/a' })).value).to.equal('1');
    expect(await rolesAt('n3')).to.deep.equal({ n1: 'voter', n2: 'voter', n3: 'learner' });
    expect(await cluster.set('n3', '/b', '2')).to.include({ ok: true });
    await cluster.agree('n1', 'n2', 'n3');
    const leader = await cluster.leader();
    const { members } = await cluster.status(leader);
    expect(members.find(({ id }: { id: string }) => id === 'n3')).to.include({
      role: 'learner',
      active: true,
    });
  });

  it('is caught up by a leader that was itself added, with what it has never heard of that one', async () => {
    await cluster.start('n3');
    await cluster.add('n3');
    await cluster.vote(['n1', 'n2', 'n3']);
    await eventually(
      'n3 leads',
      async () => (await cluster.ask('n1', { op: 'transfer-leader', to: 'n3' })).ok,
    );
    await cluster.start('n4');
    expect((await cluster.add('n4', 'n3')).ok).to.equal(true);
    const reply = await cluster.vote(['n1', 'n2', 'n3', 'n4'], 'n3');
    expect(reply.ok, JSON.stringify(reply)).to.equal(true);
    await cluster.agree('n1', 'n2', 'n3', 'n4');
  });

  it('becomes a voter when it is named as one, and then counts', async () => {
    await cluster.start('n3');
    await cluster.add('n3');
    const reply = await cluster.vote(['n1', 'n2', 'n3'], 'n1');
    expect(reply.ok, JSON.stringify(reply)).to.equal(true);
    expect(await rolesAt('n1')).to.deep.equal({ n1: 'voter', n2: 'voter', n3: 'voter' });
    const leader = await cluster.leader();
    await cluster.stop(leader === 'n1' ? 'n2' : 'n1');
    await eventually('two of three are enough', async () => (await cluster.set('n3', '/a', '1')).ok);
  });

  it('is asked for before anything is written: a wrong address, name, cluster or stage costs nothing', async () => {
    await cluster.start('n3');
    const other = await MemberCluster.of('n9');
    try {
      const before = (await cluster.status(await cluster.leader())).log.last;
      for (const [node, code] of [
        [{ id: 'n3', address: NOWHERE }, 'NODE_UNREACHABLE'],
        [{ id: 'n4', address: cluster.address('n3') }, 'UNKNOWN_NODE'],
        [{ id: 'n4', address: cluster.address('n1') }, 'BAD_REQUEST'],
        [{ id: 'n9', address: other.address('n9') }, 'CLUSTER_MISMATCH'],
      ] as const) {
        const { error } = await cluster.ask('n1', { op: 'add-learner', node });
        expect(error, JSON.stringify(node)).to.include({ code, definite: true });
      }
      expect((await cluster.status(await cluster.leader())).log.last).to.equal(before);
      expect(await cluster.status('n3')).to.include({ role: 'uninitialised' });
      expect(await other.status('n9')).to.include({ role: 'leader' });
    } finally {
      await other.close();
    }
  });

  it('may be added twice, and is there once', async () => {
    await cluster.start('n3');
    await cluster.add('n3');
    const again = await cluster.add('n3');
    expect(again.ok, JSON.stringify(again)).to.equal(true);
    expect(again.members).to.have.length(3);
  });

  it('is still one when it restarts, even with nothing in its log yet', async () => {
    await cluster.start('n3');
    await cluster.add('n3');
    await cluster.stop('n3');
    await cluster.start('n3');
    await eventually('it is back', async () => (await cluster.status('n3')).role === 'learner');
    await cluster.agree('n1', 'n2', 'n3');
  });

  it('that has lost its data is refused under its old id, in words that say what to do', async () => {
    await cluster.start('n3');
    await cluster.add('n3');
    await cluster.vote(['n1', 'n2', 'n3']);
    await cluster.stop('n3');
    cluster.wipe('n3');
    await cluster.start('n3');
    const { error } = await cluster.add('n3', 'n1');
    expect(error).to.include({ code: 'CLUSTER_MISMATCH', definite: true });
    expect(error?.message).to.contain('remove-node').and.to.contain('new id');
    expect(await cluster.status('n3')).to.include({ role: 'uninitialised' });
    await eventually('it knows', async () => /lost its data/.test((await cluster.status('n3')).notice));
    expect((await cluster.remove('n3', 'n1')).ok).to.equal(true);
    await cluster.start('n4');
    expect((await cluster.add('n4', 'n1')).ok).to.equal(true);
    expect((await cluster.vote(['n1', 'n2', 'n4'], 'n1')).ok).to.equal(true);
  });

  it('has the data of an earlier cluster with the same list of nodes, and so the same id: it is refused', async () => {
    await cluster.start('n3');
    await cluster.add('n3');
    await cluster.set('n1', '/a', 'of the earlier');
    await cluster.agree('n1', 'n2', 'n3');
    const nodes = ['n1', 'n2'].map(id => ({ id, address: cluster.address(id) }));
    await Promise.all(['n1', 'n2', 'n3'].map(id => cluster.stop(id)));
    for (const id of ['n1', 'n2']) {
      cluster.wipe(id);
      await cluster.start(id, { nodes });
    }
    await cluster.start('n3');
    await cluster.leader('n1', 'n2');
    await cluster.set('n1', '/b', 'of the later');
    const { error } = await cluster.add('n3', 'n1');
    expect(error).to.include({ code: 'CLUSTER_MISMATCH', definite: true });
    expect(error?.message).to.contain('earlier cluster').and.to.contain('empty data directory');
    expect(error?.message, 'status takes it for one sentence').not.to.contain('; ');
    expect(await rolesAt('n1')).to.deep.equal({ n1: 'voter', n2: 'voter' });
    expect((await cluster.status('n1')).origin).to.not.equal((await cluster.status('n3')).origin);
    await cluster.stop('n3');
    cluster.wipe('n3');
    await cluster.start('n3');
    expect((await cluster.add('n3', 'n1')).ok).to.equal(true);
    await cluster.agree('n1', 'n2', 'n3');
  });

  it('can move: its new address is given like a new node’s', async () => {
    await cluster.start('n3');
    await cluster.add('n3');
    await cluster.vote(['n1', 'n2', 'n3']);
    await cluster.stop('n3');
    cluster.move('n3');
    await cluster.start('n3');
    const reply = await cluster.add('n3', 'n1');
    expect(reply.ok, JSON.stringify(reply)).to.equal(true);
    expect(reply.members).to.deep.include.members([
      { ...reply.members.find(({ id }: { id: string }) => id === 'n3'), address: cluster.address('n3') },
    ]);
    expect(await rolesAt('n1')).to.deep.equal({ n1: 'voter', n2: 'voter', n3: 'voter' });
    await cluster.set('n1', '/a', '1');
    await cluster.agree('n1', 'n2', 'n3');
  });

  it('with the cluster, and has lost its data, is not listened to, whoever has restarted meanwhile', async () => {
    const nodes = ['n1', 'n2'].map(id => ({ id, address: cluster.address(id) }));
    expect((await cluster.set('n1', '/a', '1')).ok).to.equal(true);
    await cluster.stop('n2');
    cluster.wipe('n2');
    await cluster.stop('n1');
    await cluster.start('n1');
    await cluster.start('n2', { nodes });
    // It believes that it begins a cluster of two with n1; n1 remembers another n2.
    const looksForVotes = async () => (await cluster.status('n2')).role === 'candidate';
    await eventually('it asks in vain', looksForVotes);
    for (const id of ['n1', 'n2']) {
      const tells = async () => /^n2 has lost its data.* new id$/.test((await cluster.status(id)).notice);
      await eventually(`${id} tells why`, tells);
    }
    const { error } = await cluster.ask('n1', { op: 'set', key: '/b', value: '1', timeout: 1_000 });
    expect(error?.code).to.be.oneOf(['NO_LEADER', 'TIMEOUT']);
    expect((await cluster.ask('n1', { op: 'get', key: '/a', read: 'stale' })).value).to.equal('1');
    expect(await cluster.status('n2')).to.include({ commit: 1 });
  });
});
