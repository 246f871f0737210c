import type { NodeMessage } from '../../../src/node/raft-codec.ts';
import type { SimNode } from '../sim-node.ts';

/** The last entry of a node's log. */
export function lastOf({ raft }: SimNode): number {
  return raft?.state.log.last.index ?? 0;
}

export function isAppend(message: NodeMessage): message is NodeMessage & { type: 'append' } {
  return message.type === 'append';
}

/** Whether a message brings an entry beyond an index. */
export function goesBeyond(message: NodeMessage, index: number): boolean {
  return isAppend(message) && message.entries.some(entry => entry.index > index);
}
