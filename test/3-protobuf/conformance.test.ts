import { startCluster, theLeader } from '../shared/cluster.ts';
import { conformance } from '../shared/conformance.ts';

conformance({
  name: 'the leader of stage 3',
  stage: 3,
  start: () => startCluster(3, theLeader),
  exceptions: { reads: { local: true }, linearizable: false },
});
