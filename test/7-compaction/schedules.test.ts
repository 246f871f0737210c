import { Raft } from '../../stages/7-compaction/raft.ts';
import { runSchedules } from '../shared/schedule.ts';

describe('stage 7: whatever happens in whatever order, while logs are compacted', () => {
  const faults = { crashes: true, losses: true, reads: true, transfers: true, snapshots: true };
  for (const nodes of [['n1'], ['n1', 'n2'], ['n1', 'n2', 'n3'], ['n1', 'n2', 'n3', 'n4', 'n5']]) {
    it(`keeps every invariant and recovers, with ${nodes.length} nodes`, () => {
      runSchedules(faults, {
        nodes,
        make: (beginning, timing, random) => new Raft(beginning, timing, random),
      });
    });
  }
});
