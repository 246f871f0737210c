import { aFollower, startCluster, theLeader } from '../shared/cluster.ts';
import { conformance } from '../shared/conformance.ts';

conformance({ name: 'the leader of stage 7', stage: 7, start: () => startCluster(7, theLeader) });
conformance({ name: 'a follower of stage 7', stage: 7, start: () => startCluster(7, aFollower) });
