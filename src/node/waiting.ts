import type { NodeAddress } from '../wire/address.ts';
import { type Failure, failure } from '../wire/errors.ts';
import { removalOf } from './handshake.ts';
import type { Core } from './host.ts';
import type { Responder } from './server.ts';

/** Milliseconds that a request waits for a leader to be known. */
export const LEADER_PATIENCE = 2_000;
/** Milliseconds before its deadline at which it is told all the same: whoever asked learns why, and that nothing was done. */
const LAST_MOMENT = 200;

/** A request that waits: for a leader to be known, for its turn, or for its entry to be applied. */
export interface Waiting<Asked> {
  readonly request: Asked;
  readonly responder: Responder;
  readonly since: number;
}

/** Why nobody can decide a request now. */
export function noLeader(core: Core): Failure {
  const { id, isRemoved } = core.state;
  if (isRemoved) return failure('NOT_LEADER', removalOf(id), { leader: null, removed: true });
  if (core.hasQuorum === false) {
    return failure('NO_QUORUM', 'the leader cannot reach a majority of the nodes; restart or reconnect them');
  }
  const words = 'no leader is known here: a majority of the nodes is down or out of reach; try again';
  return failure('NO_LEADER', words);
}

type Waits = Pick<Waiting<unknown>, 'since' | 'responder'>;

/** Whether a request that waits for a leader has waited long enough; a node that is no member will never know of another. */
export function isHopeless({ state }: Core, waiting: Waits, now: number): boolean {
  return state.leader === null && (state.isRemoved || isLate(waiting, now));
}

/** Whether a request has waited long enough for a leader that takes it. */
export function isLate({ since, responder }: Waits, now: number): boolean {
  return now - since > LEADER_PATIENCE || responder.deadline - now < LAST_MOMENT;
}

/** The leader as this node knows it. */
export function leaderOf(core: Core, addressOf: (id: string) => string | undefined): NodeAddress | null {
  const id = core.state.leader;
  return id === null ? null : { id, address: addressOf(id) ?? '' };
}

/** This node does not lead, and was told not to pass a request on. */
export function notLeader(leader: NodeAddress | null): Failure {
  const words =
    leader === null
      ? 'no leader is known here; try again'
      : `${leader.id} at ${leader.address} leads; send it there, or without "forward": false`;
  return failure('NOT_LEADER', words, { leader });
}

/** This node stops before it could begin. */
export function shuttingDown(): Failure {
  return failure('SHUTTING_DOWN', 'this node is shutting down; ask another');
}
