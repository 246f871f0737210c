import { expect } from 'chai';
import { LostEntries } from '../../src/raft/lost-entries.ts';
import { Raft } from '../../stages/5-heartbeats/raft.ts';
import { CoreCluster } from '../shared/core-cluster.ts';
import { diskWith } from '../shared/model-disk.ts';

const NODES = ['n1', 'n2', 'n3'];

/** Three nodes; n1 leads, and all of them know. */
function ledCluster(nodes: readonly string[] = NODES): CoreCluster {
  const cluster = new CoreCluster({
    nodes,
    make: (beginning, timing) => new Raft(beginning, timing, 'n1'),
  });
  cluster.deliverAll();
  return cluster;
}

function typesOn(cluster: CoreCluster, from: string, to: string): readonly string[] {
  return cluster.queue(from, to).map(({ type }) => type);
}

describe('stage 5: heartbeats', () => {
  it('go out as soon as a leader leads (Figure 2, leaders)', () => {
    const cluster = new CoreCluster({
      nodes: NODES,
      make: (beginning, timing) => new Raft(beginning, timing, 'n1'),
    });
    expect(typesOn(cluster, 'n1', 'n2')).to.include('heartbeat');
    expect(typesOn(cluster, 'n1', 'n3')).to.include('heartbeat');
  });

  it('go out in every interval, however idle the cluster is (Figure 2, leaders; §5.2)', () => {
    const cluster = ledCluster();
    for (let round = 0; round < 5; round += 1) {
      cluster.tick('n1', cluster.timing.heartbeatTicks - 1);
      expect(typesOn(cluster, 'n1', 'n2')).to.deep.equal([]);
      cluster.tick('n1');
      expect(typesOn(cluster, 'n1', 'n2')).to.deep.equal(['heartbeat']);
      cluster.deliverAll();
    }
  });

  it('tell followers of a commit whose message was lost', () => {
    const cluster = ledCluster();
    cluster.propose('n1', 'a');
    cluster.deliverRound();
    cluster.deliver('n2', 'n1');
    cluster.deliver('n3', 'n1');
    cluster.drop('n1', 'n2');
    cluster.deliverAll();
    expect(cluster.applied('n2')).to.deep.equal([]);
    cluster.tick('n1', cluster.timing.heartbeatTicks);
    cluster.deliverAll();
    expect(cluster.applied('n2')).to.deep.equal(['a']);
  });

  it('tell nobody of a commit beyond what that follower is known to hold', () => {
    const cluster = ledCluster();
    cluster.cutOneWay('n3', 'n1');
    cluster.propose('n1', 'a');
    cluster.deliverAll();
    cluster.tick('n1', cluster.timing.heartbeatTicks);
    const [heartbeat] = cluster.queue('n1', 'n3').filter(({ type }) => type === 'heartbeat');
    expect(cluster.core('n1').state.commit).to.equal(1);
    expect(heartbeat).to.include({ commit: 0 });
  });

  it('show a follower for how long its leader has been silent', () => {
    const cluster = ledCluster();
    cluster.tick('n2', 7);
    expect(cluster.core('n2').silence).to.equal(7);
    cluster.tick('n1', cluster.timing.heartbeatTicks);
    cluster.deliverAll();
    expect(cluster.core('n2').silence).to.equal(0);
  });

  it('that come again, or late, are harmless', () => {
    const cluster = ledCluster();
    cluster.propose('n1', 'a');
    cluster.deliverAll();
    cluster.step('n1', 'n2', { type: 'heartbeat', term: 1, commit: 0, round: 1 });
    cluster.deliverAll();
    expect(cluster.core('n2').state.commit).to.equal(1);
  });
});

describe('stage 5: what is lost without a word', () => {
  it('stops a node that had acknowledged it: its disk has lost what others count on', () => {
    const cluster = ledCluster();
    cluster.propose('n1', 'a', 'b');
    cluster.deliverAll();
    const lie = { type: 'heartbeat', term: 1, commit: 9, round: 1 } as const;
    expect(() => cluster.step('n1', 'n2', lie)).to.throw(
      LostEntries,
      /acknowledged entry 9, and has none beyond 2/,
    );
  });

  it('is sent again when nothing has been heard for an election timeout (§5.3)', () => {
    const cluster = ledCluster();
    cluster.propose('n1', 'a', 'b');
    cluster.drop('n1', 'n2');
    cluster.deliverAll();
    expect(cluster.entries('n2')).to.deep.equal([]);
    cluster.tick('n1', cluster.timing.electionTicks);
    cluster.deliverAll();
    expect(cluster.applied('n2')).to.deep.equal(['a', 'b']);
  });

  it('shows at the next message: the follower refuses what does not follow its log', () => {
    const cluster = ledCluster();
    cluster.propose('n1', 'a');
    cluster.drop('n1', 'n2');
    cluster.propose('n1', 'b');
    cluster.deliverAll();
    expect(cluster.applied('n2')).to.deep.equal(['a', 'b']);
  });

  it('is only the answer: the leader learns of it from the next', () => {
    const cluster = ledCluster();
    cluster.propose('n1', 'a');
    cluster.deliverRound();
    cluster.drop('n2', 'n1');
    cluster.drop('n3', 'n1');
    cluster.tick('n1', cluster.timing.electionTicks);
    cluster.deliverAll();
    expect(cluster.applied('n1')).to.deep.equal(['a']);
  });
});

describe('stage 5: a leader counts who hears it (thesis §6.2)', () => {
  it('and says that it has no majority when an election timeout went by without one', () => {
    const cluster = ledCluster();
    cluster.isolate('n1');
    cluster.tick('n1', 2 * cluster.timing.electionTicks);
    expect(cluster.core('n1').hasQuorum).to.equal(false);
  });

  it('and has one again when a majority answers', () => {
    const cluster = ledCluster();
    cluster.isolate('n1');
    cluster.tick('n1', 2 * cluster.timing.electionTicks);
    cluster.heal();
    for (let tick = 0; tick < cluster.timing.electionTicks; tick += 1) {
      cluster.tick('n1');
      cluster.deliverAll();
    }
    expect(cluster.core('n1').hasQuorum).to.equal(true);
  });

  it('and one of two others is enough', () => {
    const cluster = ledCluster();
    cluster.isolate('n3');
    for (let tick = 0; tick < 5 * cluster.timing.electionTicks; tick += 1) {
      cluster.tick('n1');
      cluster.deliverAll();
    }
    expect(cluster.core('n1').hasQuorum).to.equal(true);
  });
});

describe('stage 5: reads that are never stale (§8, thesis §6.4)', () => {
  it('are answered when a round that began after they were asked has been answered by a majority', () => {
    const cluster = ledCluster();
    cluster.read('n1', 1);
    expect(cluster.granted('n1')).to.deep.equal([]);
    cluster.deliverRound();
    expect(cluster.granted('n1')).to.deep.equal([]);
    cluster.deliver('n2', 'n1');
    expect(cluster.granted('n1')).to.deep.equal([{ number: 1, index: 0 }]);
  });

  it('are not answered by a round that began before they were asked', () => {
    const cluster = ledCluster();
    cluster.read('n1', 1);
    cluster.deliverRound();
    cluster.read('n1', 2);
    cluster.deliver('n2', 'n1', 1);
    expect(cluster.granted('n1').map(({ number }) => number)).to.deep.equal([1]);
  });

  it('that were asked together share a round, and an answer to a later round serves earlier ones', () => {
    const cluster = ledCluster();
    cluster.read('n1', 1);
    cluster.drop('n1', 'n2');
    cluster.drop('n1', 'n3');
    cluster.read('n1', 2);
    cluster.deliverAll();
    expect(cluster.granted('n1').map(({ number }) => number)).to.deep.equal([1, 2]);
  });

  it('wait for the commit index of the moment in which their round began', () => {
    const cluster = ledCluster();
    cluster.propose('n1', 'a', 'b');
    cluster.deliverAll();
    cluster.read('n1', 1);
    cluster.deliverAll();
    expect(cluster.granted('n1')).to.deep.equal([{ number: 1, index: 2 }]);
  });

  it('are answered at once by a leader that is alone', () => {
    const cluster = ledCluster(['n1']);
    cluster.propose('n1', 'a');
    cluster.read('n1', 1);
    expect(cluster.granted('n1')).to.deep.equal([{ number: 1, index: 1 }]);
  });

  it('at a follower wait for the index that the leader names', () => {
    const cluster = ledCluster();
    cluster.cutOneWay('n1', 'n2');
    cluster.propose('n1', 'a');
    cluster.deliverAll();
    cluster.heal();
    cluster.drop('n1', 'n2');
    cluster.read('n2', 7);
    cluster.deliverAll();
    expect(cluster.granted('n2')).to.deep.equal([{ number: 7, index: 1 }]);
  });

  it('are never answered by a leader that hears no majority', () => {
    const cluster = ledCluster();
    cluster.isolate('n1');
    cluster.read('n1', 1);
    cluster.tick('n1', 50);
    expect(cluster.granted('n1')).to.deep.equal([]);
  });

  it('are forgotten by a leader that hears no majority, so that they do not pile up', () => {
    const cluster = ledCluster();
    cluster.isolate('n1');
    cluster.read('n1', 1);
    cluster.tick('n1', 50);
    cluster.heal();
    cluster.read('n1', 2);
    cluster.tick('n1', cluster.timing.heartbeatTicks);
    cluster.deliverAll();
    expect(cluster.granted('n1').map(({ number }) => number)).to.deep.equal([2]);
  });

  it('wait until a leader that has just started knows what is committed (§8)', () => {
    const disk = diskWith([1, 1], { vote: 'n1' });
    const cluster = new CoreCluster({
      nodes: NODES,
      disks: { n1: disk, n2: disk, n3: disk },
      make: (beginning, timing) => new Raft(beginning, timing, 'n1'),
    });
    cluster.read('n1', 1);
    cluster.drop('n1', 'n2');
    cluster.drop('n1', 'n3');
    cluster.tick('n1', cluster.timing.heartbeatTicks);
    cluster.deliverAll();
    expect(cluster.granted('n1')).to.deep.equal([]);
    cluster.tick('n1', cluster.timing.electionTicks);
    cluster.deliverAll();
    expect(cluster.granted('n1')).to.deep.equal([{ number: 1, index: 2 }]);
  });
});
