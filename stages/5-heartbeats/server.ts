import type { NodeOptions, RunningNode } from '../../src/node/options.ts';
import { startRaftNode } from '../../src/node/raft-node.ts';
import { refuse } from '../../src/wire/errors.ts';
import { Raft } from './raft.ts';

/** Starts a node of stage 5; the first of `nodes` leads. */
export function start(options: NodeOptions): Promise<RunningNode> {
  const leader = options.nodes?.[0]?.id;
  if (leader === undefined)
    refuse('BAD_REQUEST', 'stage 5 needs --nodes: every node of the cluster, the leader first');
  return startRaftNode(options, {
    number: 5,
    leader,
    makeCore: (beginning, timing) => new Raft(beginning, timing, leader),
  });
}
