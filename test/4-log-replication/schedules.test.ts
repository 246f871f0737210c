import { Raft } from '../../stages/4-log-replication/raft.ts';
import { runSchedules } from '../shared/schedule.ts';

describe('stage 4: whatever happens in whatever order', () => {
  const faults = { crashes: true, losses: false, reads: false, transfers: false };
  for (const nodes of [['n1'], ['n1', 'n2'], ['n1', 'n2', 'n3'], ['n1', 'n2', 'n3', 'n4', 'n5']]) {
    it(`keeps every invariant and recovers, with ${nodes.length} nodes`, () => {
      runSchedules(faults, { nodes, make: beginning => new Raft(beginning, 'n1') });
    });
  }
});
