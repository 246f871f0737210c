import { aFollower, startCluster, theLeader } from '../shared/cluster.ts';
import { conformance } from '../shared/conformance.ts';

conformance({ name: 'the leader of stage 5', stage: 5, start: () => startCluster(5, theLeader) });
conformance({ name: 'a follower of stage 5', stage: 5, start: () => startCluster(5, aFollower) });
