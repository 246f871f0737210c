import { clusterConformance } from '../shared/cluster-conformance.ts';

clusterConformance({ stage: 6, roles: ['the leader', 'a follower'] });
