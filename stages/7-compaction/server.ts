import type { NodeOptions, RunningNode } from '../../src/node/options.ts';
import { startRaftNode } from '../../src/node/raft-node.ts';
import { Raft } from './raft.ts';

/** Starts a node of stage 7. */
export function start(options: NodeOptions): Promise<RunningNode> {
  return startRaftNode(options, {
    number: 7,
    makeCore: (beginning, timing, random) => new Raft(beginning, timing, random),
  });
}
