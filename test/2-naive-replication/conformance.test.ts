import { clusterConformance } from '../shared/cluster-conformance.ts';

clusterConformance({
  stage: 2,
  roles: ['the leader'],
  exceptions: { reads: { local: true }, linearizable: false },
});
