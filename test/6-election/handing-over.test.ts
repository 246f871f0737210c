import { expect } from 'chai';
import { Raft } from '../../stages/6-election/raft.ts';
import { CoreCluster } from '../shared/core-cluster.ts';

const NODES = ['n1', 'n2', 'n3'];

/** Three nodes, led by n1 in term 1. */
function ledCluster(): CoreCluster {
  const cluster = new CoreCluster({
    nodes: NODES,
    make: (beginning, timing, random) => new Raft(beginning, timing, random),
  });
  cluster.timeOut('n1');
  cluster.deliverAll();
  return cluster;
}

describe('stage 6: handing leadership over (thesis §3.10)', () => {
  it('moves the lead within the next term, without waiting for a timeout', () => {
    const cluster = ledCluster();
    cluster.transfer('n1', 'n3');
    cluster.deliverAll();
    expect(cluster.leaders).to.deep.equal(['n3']);
    expect(cluster.core('n3').state.term).to.equal(2);
  });

  it('asks a successor to stand only when its log is as long as the leader’s', () => {
    const cluster = ledCluster();
    cluster.holdDisk('n3');
    cluster.propose('n1', 'x');
    cluster.transfer('n1', 'n3');
    cluster.deliverAll();
    expect(cluster.leaders).to.deep.equal(['n1']);
    cluster.releaseDisk('n3');
    cluster.deliverAll();
    expect(cluster.leaders).to.deep.equal(['n3']);
    expect(cluster.applied('n3')).to.include('x');
  });

  it('takes no proposals while it waits, and takes them again after an election timeout', () => {
    const cluster = ledCluster();
    cluster.isolate('n3');
    cluster.transfer('n1', 'n3');
    cluster.tick('n1', cluster.timing.electionTicks - 1);
    expect(cluster.core('n1').isHandingOver).to.equal(true);
    cluster.deliverAll();
    cluster.tick('n1');
    expect(cluster.core('n1').isHandingOver).to.equal(false);
    expect(cluster.leaders).to.deep.equal(['n1']);
  });

  it('does not wait longer because the same successor is named again', () => {
    const cluster = ledCluster();
    cluster.isolate('n3');
    for (let tick = 0; tick < cluster.timing.electionTicks; tick += 1) {
      cluster.transfer('n1', 'n3');
      cluster.tick('n1');
      cluster.deliverAll();
    }
    expect(cluster.core('n1').isHandingOver).to.equal(false);
  });

  for (const [from, to] of [
    ['n1', 'n1'],
    ['n1', 'stranger'],
    ['n2', 'n3'],
  ] as const) {
    it(`is nothing that ${from} can do for ${to} while n1 leads`, () => {
      const cluster = ledCluster();
      cluster.transfer(from, to);
      expect(cluster.core(from).isHandingOver).to.equal(false);
    });
  }

  it('listens to no order to stand that does not come from the leader', () => {
    const cluster = ledCluster();
    cluster.step('n2', 'n3', { type: 'timeout-now', term: 1 });
    expect(cluster.core('n3').state.role).to.equal('follower');
  });

  it('disturbs nobody with an order that comes in a later term', () => {
    const cluster = ledCluster();
    cluster.transfer('n1', 'n3');
    const [order] = cluster.queue('n1', 'n3').filter(({ type }) => type === 'timeout-now');
    cluster.deliverAll();
    cluster.transfer('n3', 'n1');
    cluster.deliverAll();
    if (order === undefined) throw new Error('nobody was asked to stand');
    cluster.step('n1', 'n3', order);
    cluster.deliverAll();
    expect(cluster.leaders).to.deep.equal(['n1']);
    expect(cluster.core('n1').state.term).to.equal(3);
  });
});
