import { startCluster, theLeader } from '../shared/cluster.ts';
import { conformance } from '../shared/conformance.ts';

conformance({
  name: 'the leader of stage 2',
  stage: 2,
  start: () => startCluster(2, theLeader),
  exceptions: { reads: { local: true }, linearizable: false },
});
