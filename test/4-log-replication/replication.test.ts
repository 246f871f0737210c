import { expect } from 'chai';
import { Raft } from '../../stages/4-log-replication/raft.ts';
import { CoreCluster } from '../shared/core-cluster.ts';
import { type Durable, diskWith, membersOf } from '../shared/model-disk.ts';

const NODES = ['n1', 'n2', 'n3'];

/** A log of so many entries of the only term there is, of which so many are known to be committed. */
function diskOf(count: number, commit = 0): Durable {
  return diskWith(
    Array.from({ length: count }, () => 1),
    { vote: 'n1', commit },
  );
}

function clusterOf(
  disks: Readonly<Record<string, Durable>> = {},
  nodes: readonly string[] = NODES,
): CoreCluster {
  return new CoreCluster({ nodes, disks, make: beginning => new Raft(beginning, 'n1') });
}

describe('stage 4: replication beyond the paper', () => {
  it('commits at its start what a lone leader has on its disk', () => {
    const cluster = clusterOf({ n1: diskOf(3) }, ['n1']);
    expect(cluster.applied('n1')).to.deep.equal(['1:1', '2:1', '3:1']);
  });

  it('refuses to start under another leader than the one it has followed', () => {
    const cluster = clusterOf();
    cluster.propose('n1', 'a');
    cluster.deliverAll();
    const beginning = { id: 'n2', configuration: membersOf(NODES), base: { index: 0, term: 0 } };
    expect(() => new Raft({ ...beginning, ...cluster.durable('n2') }, 'n2')).to.throw('broken invariant');
  });

  it('refuses a log that a later stage has left in a later term', () => {
    const beginning = { id: 'n2', configuration: membersOf(NODES), base: { index: 0, term: 0 } };
    expect(() => new Raft({ ...beginning, ...diskWith([1, 4]) }, 'n1')).to.throw('broken invariant');
  });

  it('searches from where it was, and not from the beginning, when a link comes up before the first answer', () => {
    const cluster = clusterOf({ n1: diskOf(1_000, 1_000), n2: diskOf(1_000), n3: diskOf(1_000) });
    let entries = 0;
    cluster.onSent = (_from, { message }) => {
      if (message.type === 'append') entries += message.entries.length;
    };
    for (let flap = 0; flap < 3; flap += 1) {
      cluster.isolate('n2');
      cluster.heal();
    }
    cluster.propose('n1', 'x');
    cluster.deliverAll();
    expect(cluster.entries('n2')).to.have.length(1_001);
    expect(entries, 'entries sent for the one that was missing').to.be.at.most(10);
  });
});
