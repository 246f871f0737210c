import { startCluster, theLeader } from '../shared/cluster.ts';
import { conformance } from '../shared/conformance.ts';

conformance({
  name: 'the leader of stage 4',
  stage: 4,
  start: () => startCluster(4, theLeader),
  exceptions: { reads: { local: true }, linearizable: false },
});
