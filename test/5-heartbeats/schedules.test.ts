import { Raft } from '../../stages/5-heartbeats/raft.ts';
import { runSchedules } from '../shared/schedule.ts';

describe('stage 5: whatever happens in whatever order', () => {
  const faults = { crashes: true, losses: true, reads: true, transfers: false };
  for (const nodes of [['n1'], ['n1', 'n2'], ['n1', 'n2', 'n3'], ['n1', 'n2', 'n3', 'n4', 'n5']]) {
    it(`keeps every invariant and recovers, with ${nodes.length} nodes`, () => {
      runSchedules(faults, { nodes, make: (beginning, timing) => new Raft(beginning, timing, 'n1') });
    });
  }
});
