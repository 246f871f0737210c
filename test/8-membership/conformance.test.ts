import { clusterConformance } from '../shared/cluster-conformance.ts';

clusterConformance({ stage: 8, roles: ['the leader', 'a follower'] });
clusterConformance({ stage: 8, roles: ['a follower'], flags: ['--transport', 'grpc'] });
