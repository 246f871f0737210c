import { clusterConformance } from '../shared/cluster-conformance.ts';

clusterConformance({
  stage: 3,
  roles: ['the leader'],
  exceptions: { reads: { local: true }, linearizable: false },
});
