import { DEFAULT_TIMING } from '../../src/raft/timing.ts';
import { Raft } from '../../stages/8-membership/raft.ts';
import { runSchedules } from '../shared/schedule.ts';

const SIX = ['n1', 'n2', 'n3', 'n4', 'n5', 'n6'];

describe('stage 8: whatever happens in whatever order, while the members change', () => {
  const faults = {
    crashes: true,
    losses: true,
    reads: true,
    transfers: true,
    changes: true,
    snapshots: true,
  };
  for (const members of [['n1'], ['n1', 'n2'], ['n1', 'n2', 'n3'], SIX]) {
    it(`keeps every invariant and recovers, beginning with ${members.length} of ${SIX.length} nodes`, () => {
      runSchedules(faults, {
        nodes: SIX,
        members,
        // So long that each of six nodes has a patience of its own, and none meets the other's candidacy for ever.
        timing: { ...DEFAULT_TIMING, heartbeatTicks: 1, electionTicks: 6 },
        make: (beginning, timing, random) => new Raft(beginning, timing, random),
      });
    });
  }
});
