import { clusterConformance } from '../shared/cluster-conformance.ts';

// What a follower is asked, the leader answers: the leader itself is asked at stages 4 and 8.
clusterConformance({ stage: 5, roles: ['a follower'] });
