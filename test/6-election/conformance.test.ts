import { aFollower, startCluster, theLeader } from '../shared/cluster.ts';
import { conformance } from '../shared/conformance.ts';

conformance({ name: 'the leader of stage 6', stage: 6, start: () => startCluster(6, theLeader) });
conformance({ name: 'a follower of stage 6', stage: 6, start: () => startCluster(6, aFollower) });
