import { Raft } from '../../stages/5-heartbeats/raft.ts';
import { scenariosIn } from '../shared/scenario-file.ts';

describe('stage 5: heartbeats as stories', () => {
  scenariosIn(import.meta.url, (beginning, timing) => new Raft(beginning, timing, 'n1'));
});
