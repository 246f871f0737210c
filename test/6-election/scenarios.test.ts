import { Raft } from '../../stages/6-election/raft.ts';
import { scenariosIn } from '../shared/scenario-file.ts';

describe('stage 6: elections as stories', () => {
  scenariosIn(import.meta.url, (beginning, timing, random) => new Raft(beginning, timing, random));
});
