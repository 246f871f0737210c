import { clusterConformance } from '../shared/cluster-conformance.ts';

clusterConformance({ stage: 5, roles: ['the leader', 'a follower'] });
