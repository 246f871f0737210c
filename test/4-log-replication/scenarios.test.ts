import { Raft } from '../../stages/4-log-replication/raft.ts';
import { scenariosIn } from '../shared/scenario-file.ts';

describe('stage 4: the log as stories', () => {
  scenariosIn(import.meta.url, beginning => new Raft(beginning, 'n1'));
});
