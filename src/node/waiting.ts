import { type Failure, failure } from '../wire/errors.ts';
import type { Core } from './host.ts';
import type { Responder } from './server.ts';

/** Milliseconds that a request waits for a leader to be known. */
export const LEADER_PATIENCE = 2_000;

/** A request that waits: for a leader to be known, for its turn, or for its entry to be applied. */
export interface Waiting<Asked> {
  readonly request: Asked;
  readonly responder: Responder;
  readonly since: number;
}

/** Why nobody can decide a request now. */
export function noLeader(core: Core): Failure {
  if (core.hasQuorum === false) {
    return failure('NO_QUORUM', 'the leader cannot reach a majority of the nodes; restart or reconnect them');
  }
  const words = 'no leader is known here: a majority of the nodes is down or out of reach; try again';
  return failure('NO_LEADER', words);
}

/** This node stops before it could begin. */
export function shuttingDown(): Failure {
  return failure('SHUTTING_DOWN', 'this node is shutting down; ask another');
}
