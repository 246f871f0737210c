import type { NodeOptions, RunningNode } from '../../src/node/options.ts';
import { startRaftNode } from '../../src/node/raft-node.ts';
import { Raft } from './raft.ts';

/** Starts a node of stage 8. */
export function start(options: NodeOptions): Promise<RunningNode> {
  return startRaftNode(options, {
    number: 8,
    makeCore: (beginning, timing, random) => new Raft(beginning, timing, random),
  });
}
