import { clusterConformance } from '../shared/cluster-conformance.ts';

clusterConformance({ stage: 7, roles: ['the leader', 'a follower'] });
