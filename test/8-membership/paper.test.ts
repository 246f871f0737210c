import { expect } from 'chai';
import { type Configuration, configurationOf, jointConfiguration } from '../../src/raft/configuration.ts';
import type { Entry } from '../../src/raft/entry.ts';
import { Raft } from '../../stages/8-membership/raft.ts';
import { CoreCluster } from '../shared/core-cluster.ts';
import { membersOf } from '../shared/model-disk.ts';

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5'];
const THREE = ['n1', 'n2', 'n3'];

function clusterOf(members: readonly string[] = THREE): CoreCluster {
  return new CoreCluster({
    nodes: NODES,
    members,
    make: (beginning, timing, random) => new Raft(beginning, timing, random),
  });
}

/** A cluster of three that n1 leads, with n4 as a learner that has everything. */
function ledCluster(): CoreCluster {
  const cluster = clusterOf();
  cluster.timeOut('n1');
  cluster.deliverAll();
  cluster.change('n1', THREE, [...THREE, 'n4']);
  cluster.deliverAll();
  cluster.tick('n1', cluster.timing.heartbeatTicks);
  cluster.deliverAll();
  return cluster;
}

const votersAt = (cluster: CoreCluster, id: string) => cluster.core(id).state.configuration.voters;
const entry = (index: number, term: number, command: unknown): Entry => ({ index, term, command, size: 64 });
const withLearner = (learner: string): Configuration => ({
  ...membersOf(THREE),
  nodes: membersOf([...THREE, learner]).nodes,
});

describe('stage 8: configurations in the log (§6)', () => {
  it('a server uses the latest configuration in its log, regardless of whether it is committed', () => {
    const cluster = ledCluster();
    cluster.isolate('n3');
    cluster.isolate('n4');
    cluster.change('n1', ['n1', 'n2'], ['n1', 'n2', 'n4'], true);
    cluster.deliver('n1', 'n2');
    const { configuration, commit, configurationIndex } = cluster.core('n2').state;
    expect(configuration.old).to.deep.equal(THREE);
    expect(commit).to.be.lessThan(configurationIndex);
  });

  it('a configuration that is overwritten counts no more, nor do two at once', () => {
    const cluster = clusterOf();
    const joint = jointConfiguration(withLearner('n4'), membersOf(['n2', 'n4']));
    const entries = [entry(1, 1, null), entry(2, 1, withLearner('n4')), entry(3, 1, joint)];
    const head = { type: 'append', prevIndex: 0, prevTerm: 0, commit: 0 } as const;
    cluster.step('n1', 'n2', { ...head, term: 1, entries });
    expect(cluster.core('n2').state.quorum.voters).to.have.members(['n1', 'n2', 'n3', 'n4']);
    cluster.step('n3', 'n2', { ...head, term: 2, prevIndex: 1, prevTerm: 1, entries: [entry(2, 2, null)] });
    expect(cluster.core('n2').state.configuration).to.deep.equal(membersOf(THREE));
    expect(cluster.core('n2').state.peers).to.deep.equal(['n1', 'n3']);
  });

  it('survive a restart with the log that they are in', () => {
    const cluster = ledCluster();
    cluster.change('n1', ['n2', 'n3', 'n4'], ['n2', 'n3', 'n4']);
    cluster.deliverAll();
    cluster.crash('n4');
    cluster.restart('n4');
    expect(votersAt(cluster, 'n4')).to.deep.equal(['n2', 'n3', 'n4']);
  });

  it('entries are replicated to all servers of both configurations', () => {
    const cluster = ledCluster();
    cluster.cut('n1', 'n3');
    cluster.change('n1', ['n1', 'n4'], ['n1', 'n4']);
    cluster.propose('n1', 'x');
    cluster.deliver('n1', 'n2');
    cluster.deliver('n1', 'n4');
    for (const id of ['n2', 'n4']) expect(cluster.entries(id).at(-1)?.command).to.equal('x');
  });

  it('the final configuration is not appended before the joint one is committed', () => {
    const cluster = ledCluster();
    cluster.change('n1', ['n1', 'n4'], ['n1', 'n4']);
    expect(cluster.core('n1').state.configuration.old).to.deep.equal(THREE);
    cluster.deliver('n1', 'n4');
    cluster.deliver('n4', 'n1');
    expect(cluster.core('n1').state.configuration.old).to.deep.equal(THREE);
    cluster.deliverAll();
    expect(cluster.core('n1').state.configuration).to.deep.equal(membersOf(['n1', 'n4']));
  });

  it('a change that leaves the voters as they are needs no joint step', () => {
    const cluster = ledCluster();
    cluster.change('n1', THREE, THREE);
    expect(cluster.core('n1').state.configuration).to.deep.equal(membersOf(THREE));
  });
});

describe('stage 8: one change at a time (§6, thesis §4.1)', () => {
  it('none begins before an entry of the leader’s own term is committed (Ongaro, raft-dev 2015)', () => {
    const cluster = clusterOf();
    cluster.timeOut('n1');
    for (let round = 0; round < 4; round += 1) cluster.deliverRound();
    expect(cluster.leaders).to.deep.equal(['n1']);
    expect(cluster.core('n1').obstacle).to.equal('no-op');
    expect(() => cluster.change('n1', THREE, [...THREE, 'n4'])).to.throw('broken invariant');
    cluster.deliverAll();
    expect(cluster.core('n1').obstacle).to.equal(undefined);
  });

  it('none begins while another waits, is joint, or is not committed', () => {
    const cluster = ledCluster();
    cluster.isolate('n4');
    cluster.propose('n1', 'x');
    cluster.deliverAll();
    cluster.change('n1', [...THREE, 'n4'], [...THREE, 'n4']);
    expect(cluster.core('n1').laggards).to.deep.equal(['n4']);
    expect(cluster.core('n1').obstacle).to.equal('change');
    cluster.core('n1').cancelChange?.();
    expect(cluster.core('n1').obstacle).to.equal(undefined);
    cluster.change('n1', ['n1', 'n2'], ['n1', 'n2']);
    expect(cluster.core('n1').obstacle).to.equal('change');
    cluster.deliverAll();
    expect(cluster.core('n1').obstacle).to.equal(undefined);
  });

  it('a new leader finishes one only behind its no-op, though it knows that the joint configuration is committed', () => {
    const cluster = ledCluster();
    cluster.change('n1', ['n2', 'n3', 'n4'], ['n2', 'n3', 'n4']);
    cluster.deliverRound();
    cluster.deliverRound();
    const joint = cluster.core('n1').state.commit;
    for (const id of ['n2', 'n3', 'n4']) cluster.drop('n1', id);
    cluster.tick('n1', cluster.timing.heartbeatTicks);
    cluster.deliver('n1', 'n2');
    cluster.crash('n1');
    for (const id of ['n3', 'n4']) cluster.drop('n1', id);
    expect(cluster.core('n2').state).to.include({ commit: joint, configurationIndex: joint });
    for (const id of ['n3', 'n4']) cluster.tick(id, cluster.timing.electionTicks);
    cluster.timeOut('n2');
    for (let round = 0; round < 4; round += 1) cluster.deliverRound();
    expect(cluster.leaders).to.deep.equal(['n2']);
    expect(cluster.entries('n2').at(-1)).to.include({ index: joint + 1, command: null });
    cluster.deliverAll();
    expect(cluster.core('n2').state.configuration).to.deep.equal(membersOf(['n2', 'n3', 'n4']));
  });

  it('none is begun by a node that does not lead, nor by a leader that hands over', () => {
    const cluster = ledCluster();
    expect(cluster.core('n2').obstacle).to.equal('not-leading');
    cluster.isolate('n3');
    cluster.transfer('n1', 'n3');
    expect(cluster.core('n1').obstacle).to.equal('handing-over');
  });
});

describe('stage 8: new voters catch up first (thesis §4.2.1)', () => {
  it('are made voters once a round is over within an election timeout', () => {
    const cluster = ledCluster();
    cluster.isolate('n4');
    cluster.propose('n1', 'a', 'b');
    cluster.deliverAll();
    cluster.change('n1', [...THREE, 'n4'], [...THREE, 'n4']);
    cluster.tick('n1', cluster.timing.electionTicks);
    cluster.deliverAll();
    expect(cluster.core('n1').laggards).to.deep.equal(['n4']);
    cluster.heal();
    cluster.deliverAll();
    // The round that is over now took too long; the next one will show.
    expect(votersAt(cluster, 'n1')).to.deep.equal(THREE);
    cluster.propose('n1', 'c');
    cluster.deliverAll();
    cluster.tick('n1', cluster.timing.heartbeatTicks);
    cluster.deliverAll();
    expect(votersAt(cluster, 'n1')).to.deep.equal([...THREE, 'n4']);
  });

  it('are not waited for by a change that is forced', () => {
    const cluster = ledCluster();
    cluster.isolate('n4');
    cluster.change('n1', [...THREE, 'n4'], [...THREE, 'n4'], true);
    cluster.deliverAll();
    expect(cluster.core('n1').state.configuration.old).to.deep.equal(undefined);
    expect(votersAt(cluster, 'n1')).to.deep.equal([...THREE, 'n4']);
  });

  it('writes go on while they do', () => {
    const cluster = ledCluster();
    cluster.isolate('n4');
    cluster.propose('n1', 'x');
    cluster.change('n1', [...THREE, 'n4'], [...THREE, 'n4']);
    cluster.deliverAll();
    expect(cluster.applied('n2')).to.include('x');
  });
});

describe('stage 8: who votes, and who asks (thesis §4.1, §4.2)', () => {
  it('a server grants its vote to a candidate that is not in its configuration, and to one when it is a learner', () => {
    const cluster = ledCluster();
    cluster.tick('n4', cluster.timing.electionTicks);
    const last = cluster.core('n4').state.log.last;
    const request = { type: 'request-vote', term: 2, pre: false, transfer: false } as const;
    cluster.step('n5', 'n4', { ...request, lastIndex: last.index, lastTerm: last.term });
    expect(cluster.queue('n4', 'n5')).to.deep.equal([{ type: 'vote', term: 2, pre: false, granted: true }]);
  });

  it('a server accepts entries from a leader that is not in its configuration', () => {
    const cluster = clusterOf();
    const head = { type: 'append', term: 1, prevIndex: 0, prevTerm: 0, commit: 0 } as const;
    cluster.step('n5', 'n2', { ...head, entries: [entry(1, 1, 'x')] });
    expect(cluster.entries('n2').map(({ command }) => command)).to.deep.equal(['x']);
    expect(cluster.core('n2').state.leader).to.equal('n5');
  });

  it('a learner never asks to be elected, not even when it is asked to stand', () => {
    const cluster = ledCluster();
    cluster.step('n1', 'n4', { type: 'timeout-now', term: 1 });
    cluster.tick('n4', 100);
    expect(cluster.core('n4').state).to.include({ role: 'follower', term: 1 });
    expect(cluster.queue('n4').filter(({ type }) => type === 'request-vote')).to.deep.equal([]);
  });

  it('leadership is not handed to a learner', () => {
    const cluster = ledCluster();
    cluster.transfer('n1', 'n4');
    expect(cluster.core('n1').isHandingOver).to.equal(false);
  });

  it('a node without any configuration asks nobody, and answers', () => {
    const cluster = clusterOf();
    cluster.tick('n5', 100);
    expect(cluster.queue('n5')).to.deep.equal([]);
    const request = { type: 'request-vote', term: 3, pre: false, transfer: false } as const;
    cluster.step('n1', 'n5', { ...request, lastIndex: 0, lastTerm: 0 });
    expect(cluster.queue('n5', 'n1')).to.deep.equal([{ type: 'vote', term: 3, pre: false, granted: true }]);
  });

  it('a server that its latest configuration leaves out still stands until that is committed (thesis §4.2.2)', () => {
    const cluster = clusterOf(['n1', 'n2']);
    cluster.timeOut('n1');
    cluster.deliverAll();
    cluster.change('n1', ['n2'], ['n2']);
    cluster.deliverRound();
    cluster.deliverRound();
    // The joint step is committed, and only n1 has the final one: n2 would not be elected by n1, whose log is longer.
    expect(votersAt(cluster, 'n1')).to.deep.equal(['n2']);
    cluster.crash('n1');
    cluster.drop('n1', 'n2');
    cluster.restart('n1');
    cluster.tick('n2', cluster.timing.electionTicks);
    cluster.timeOut('n1');
    cluster.deliverAll();
    expect(cluster.leaders).to.deep.equal(['n2']);
    expect(cluster.core('n2').state.configuration).to.deep.equal(membersOf(['n2']));
  });

  it('a removed server does not disturb those who hear their leader (thesis §4.2.3)', () => {
    const cluster = ledCluster();
    cluster.isolate('n3');
    cluster.change('n1', ['n1', 'n2'], ['n1', 'n2', 'n4']);
    cluster.deliverAll();
    cluster.heal();
    for (const id of NODES) cluster.drop('n1', id);
    cluster.timeOut('n3');
    cluster.deliver('n3', 'n1');
    cluster.deliver('n3', 'n2');
    expect(cluster.core('n1').state).to.include({ role: 'leader', term: 1 });
    expect(cluster.core('n2').state.term).to.equal(1);
  });

  it('a server that is told that it was removed asks no more, until a leader speaks to it', () => {
    const cluster = ledCluster();
    cluster.core('n3').state.isDismissed = true;
    cluster.tick('n3', 100);
    expect(cluster.core('n3').state.role).to.equal('follower');
    expect(cluster.core('n3').state.isRemoved).to.equal(true);
    cluster.tick('n1', cluster.timing.heartbeatTicks);
    cluster.deliverAll();
    expect(cluster.core('n3').state.isRemoved).to.equal(false);
  });
});

describe('stage 8: the leader that is removed (§6, thesis §4.2.2)', () => {
  it('does not count itself for the configuration that it is not part of', () => {
    const cluster = ledCluster();
    cluster.change('n1', ['n2', 'n3'], ['n2', 'n3', 'n4']);
    for (const id of ['n2', 'n3']) {
      cluster.deliver('n1', id);
      cluster.deliver(id, 'n1');
    }
    const { configurationIndex } = cluster.core('n1').state;
    cluster.isolate('n3');
    cluster.deliverAll();
    expect(cluster.core('n1').state.commit).to.be.lessThan(configurationIndex);
    expect(cluster.leaders).to.deep.equal(['n1']);
  });

  it('steps down when it is committed, and has its successor stand at once', () => {
    const cluster = ledCluster();
    cluster.change('n1', ['n2', 'n3'], ['n2', 'n3', 'n4']);
    cluster.deliverAll();
    expect(cluster.core('n1').state).to.include({ role: 'follower', isRemoved: true });
    expect(cluster.leaders).to.have.length(1);
    expect(cluster.leaders).to.not.include('n1');
  });

  it('reads and commits need both majorities in the joint step', () => {
    const cluster = ledCluster();
    cluster.isolate('n4');
    cluster.change('n1', ['n1', 'n4'], ['n1', 'n4'], true);
    cluster.read('n1', 1);
    cluster.tick('n1', cluster.timing.heartbeatTicks);
    cluster.deliverAll();
    expect(cluster.granted('n1')).to.deep.equal([]);
    cluster.heal();
    cluster.tick('n1', cluster.timing.heartbeatTicks);
    cluster.deliverAll();
    expect(cluster.granted('n1').map(({ number }) => number)).to.deep.equal([1]);
  });
});

describe('stage 8: nodes that are removed', () => {
  it('are sent the configuration that leaves them out, and that it is committed', () => {
    const cluster = ledCluster();
    cluster.change('n1', ['n1', 'n2'], ['n1', 'n2', 'n4']);
    cluster.deliverAll();
    cluster.tick('n1', cluster.timing.heartbeatTicks);
    cluster.deliverAll();
    expect(cluster.core('n3').state.isRemoved).to.equal(true);
  });

  it('are spoken to for a while, and then no more', () => {
    const cluster = ledCluster();
    cluster.isolate('n3');
    cluster.change('n1', ['n1', 'n2'], ['n1', 'n2', 'n4']);
    cluster.deliverAll();
    expect(cluster.core('n1').state.contacts).to.have.property('n3');
    for (let ticks = 0; ticks < 5 * cluster.timing.electionTicks; ticks += 1) {
      cluster.tick('n1');
      cluster.deliverAll();
    }
    expect(cluster.core('n1').state.progress.has('n3')).to.equal(false);
    expect(cluster.core('n1').state.contacts).to.not.have.property('n3');
  });

  it('and come back with nothing while they are spoken to are sent everything, as if they had never been', () => {
    const cluster = ledCluster();
    cluster.propose('n1', 'x');
    cluster.deliverAll();
    cluster.change('n1', THREE, THREE);
    cluster.deliverAll();
    cluster.wipe('n4');
    cluster.restart('n4');
    cluster.cut('n1', 'n4');
    cluster.change('n1', THREE, [...THREE, 'n4']);
    cluster.deliverAll();
    expect(cluster.core('n1').state.progress.get('n4')?.match).to.equal(0);
    cluster.heal();
    cluster.tick('n1', cluster.timing.heartbeatTicks);
    cluster.deliverAll();
    expect(cluster.entries('n4')).to.deep.equal(cluster.entries('n1'));
  });

  it('are known by the log to have been members', () => {
    const cluster = ledCluster();
    cluster.change('n1', ['n1', 'n2'], ['n1', 'n2', 'n4']);
    cluster.deliverAll();
    expect(cluster.core('n1').state.knows('n3')).to.equal(true);
    expect(cluster.core('n1').state.knows('n5')).to.equal(false);
    const empty = configurationOf({ nodes: {}, voters: [] });
    expect(empty).to.deep.equal({ op: 'configure', nodes: {}, voters: [] });
  });
});
