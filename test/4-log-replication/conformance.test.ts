import { clusterConformance } from '../shared/cluster-conformance.ts';

clusterConformance({
  stage: 4,
  roles: ['the leader'],
  exceptions: { reads: { local: true }, linearizable: false },
});
