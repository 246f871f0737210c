import { aFollower, startCluster, theLeader } from '../shared/cluster.ts';
import { conformance } from '../shared/conformance.ts';

conformance({ name: 'the leader of stage 8', stage: 8, start: () => startCluster(8, theLeader) });
conformance({ name: 'a follower of stage 8', stage: 8, start: () => startCluster(8, aFollower) });
conformance({
  name: 'the leader of stage 8 over gRPC',
  stage: 8,
  start: () => startCluster(8, theLeader, ['--transport', 'grpc']),
});
conformance({
  name: 'a follower of stage 8 over gRPC',
  stage: 8,
  start: () => startCluster(8, aFollower, ['--transport', 'grpc']),
});
