import { Raft } from '../../stages/8-membership/raft.ts';
import { scenariosIn } from '../shared/scenario-file.ts';

describe('stage 8: changes of the members as stories', () => {
  scenariosIn(import.meta.url, (beginning, timing, random) => new Raft(beginning, timing, random));
});
