import { clusterConformance } from '../shared/cluster-conformance.ts';

// What a follower is asked, the leader answers: the leader itself is asked at the stages before and after.
clusterConformance({ stage: 6, roles: ['a follower'] });
