import { naiveReplication } from '../shared/naive-replication.ts';

naiveReplication(3);
