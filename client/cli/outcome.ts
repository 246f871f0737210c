import { type ErrorCode, RaftlineError } from '../../src/wire/errors.ts';
import { shortened } from '../../src/wire/text.ts';
import { ClientError } from '../client-error.ts';
import { complain, quoted } from './print.ts';
import { UsageError } from './usage-error.ts';
import type { Call, Verb } from './verb.ts';

/** 1: the answer is no. 2: wrong usage or a bad request. 3: no answer. 4: access denied. */
const STATUS: Readonly<Record<ErrorCode, 1 | 2 | 3 | 4>> = {
  BAD_JSON: 2,
  BAD_ENCODING: 2,
  BAD_REQUEST: 2,
  UNKNOWN_OP: 2,
  LINE_TOO_LONG: 2,
  TOO_LARGE: 2,
  WRONG_STAGE: 2,

  CONFLICT: 1,
  COMPACTED: 1,
  FUTURE_REV: 1,
  LEASE_NOT_FOUND: 1,
  SESSION_EXPIRED: 1,

  NOT_LEADER: 3,
  NO_LEADER: 3,
  NO_QUORUM: 3,
  NOT_INITIALISED: 3,
  ALREADY_INITIALISED: 1,
  CHANGE_IN_PROGRESS: 1,
  UNKNOWN_NODE: 2,
  NODE_UNREACHABLE: 3,
  CLUSTER_MISMATCH: 2,

  BUSY: 3,
  NO_SPACE: 3,
  SLOW_CONSUMER: 3,
  SHUTTING_DOWN: 3,

  TIMEOUT: 3,
  LEADER_LOST: 3,
  INTERNAL: 3,

  UNAUTHENTICATED: 4,
  DENIED: 4,
};

/** The exit status for an error code; a code of a newer node than this program counts as no answer. */
export function exitStatus(code: string): number {
  return Object.hasOwn(STATUS, code) ? STATUS[code as ErrorCode] : 3;
}

/** What a command line is about, in an error: the verb and its first word. */
export function titleOf({ name }: Verb, { words: [first] }: Call): string {
  return first === undefined ? name : `${name} ${first === '' ? '""' : shortened(quoted(first))}`;
}

/** Says on one line what failed, at which node, why and what to do, and returns the exit status. */
export function report(error: unknown, what: string): number {
  if (error instanceof UsageError) {
    complain(error.message);
    return 2;
  }
  if (error instanceof RaftlineError) {
    complain(`${what}${reason(error)}`);
    return exitStatus(error.code);
  }
  const words = error instanceof Error ? error.message : String(error);
  complain(`${what} failed: ${words}`);
  if (process.env.DEBUG !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return 3;
}

function reason(error: RaftlineError): string {
  if (!(error instanceof ClientError)) return `: ${error.message}`;
  if (error.line !== undefined) return ` at ${error.address}: ${error.message} (${error.code})`;
  if (error.code !== 'NODE_UNREACHABLE') return `: ${error.message}`;
  return `: ${error.message}; start a node there (raftline serve), or name another with --address`;
}
