import { Raft } from '../../stages/7-compaction/raft.ts';
import { scenariosIn } from '../shared/scenario-file.ts';

describe('stage 7: snapshots as stories', () => {
  scenariosIn(import.meta.url, (beginning, timing, random) => new Raft(beginning, timing, random));
});
