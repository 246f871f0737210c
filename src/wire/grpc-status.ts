import { ERRORS, type ErrorCode, type Failure, failure } from './errors.ts';

/** The status codes of gRPC that are used here, by number. */
const STATUS = {
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** The status that stands for each error, to clients that know no more of us: what it says about trying again is true. */
const STATUS_OF: Readonly<Record<ErrorCode, keyof typeof STATUS>> = {
  BAD_JSON: 'INVALID_ARGUMENT',
  BAD_ENCODING: 'INVALID_ARGUMENT',
  BAD_REQUEST: 'INVALID_ARGUMENT',
  UNKNOWN_OP: 'UNIMPLEMENTED',
  LINE_TOO_LONG: 'RESOURCE_EXHAUSTED',
  TOO_LARGE: 'INVALID_ARGUMENT',
  WRONG_STAGE: 'UNIMPLEMENTED',
  CONFLICT: 'ABORTED',
  COMPACTED: 'OUT_OF_RANGE',
  FUTURE_REV: 'OUT_OF_RANGE',
  LEASE_NOT_FOUND: 'NOT_FOUND',
  SESSION_EXPIRED: 'FAILED_PRECONDITION',
  NOT_LEADER: 'UNAVAILABLE',
  NO_LEADER: 'UNAVAILABLE',
  NO_QUORUM: 'UNAVAILABLE',
  NOT_INITIALISED: 'FAILED_PRECONDITION',
  ALREADY_INITIALISED: 'ALREADY_EXISTS',
  CHANGE_IN_PROGRESS: 'ABORTED',
  UNKNOWN_NODE: 'NOT_FOUND',
  NODE_UNREACHABLE: 'UNAVAILABLE',
  CLUSTER_MISMATCH: 'FAILED_PRECONDITION',
  BUSY: 'RESOURCE_EXHAUSTED',
  NO_SPACE: 'RESOURCE_EXHAUSTED',
  SLOW_CONSUMER: 'RESOURCE_EXHAUSTED',
  SHUTTING_DOWN: 'UNAVAILABLE',
  TIMEOUT: 'DEADLINE_EXCEEDED',
  LEADER_LOST: 'UNKNOWN',
  INTERNAL: 'INTERNAL',
  UNAUTHENTICATED: 'UNAUTHENTICATED',
  DENIED: 'PERMISSION_DENIED',
};

/** A failure as the end of a call says it. */
export interface CallStatus {
  readonly code: number;
  /** For people: the failure's message. */
  readonly details: string;
  /** The trailing metadata. */
  readonly trailers: Readonly<Record<string, string>>;
}

export function statusOf(failed: Failure): CallStatus {
  const { code, message, definite, retry, ...details } = failed;
  return {
    code: STATUS[STATUS_OF[code]],
    details: message.toWellFormed(),
    trailers: {
      'raftline-code': code,
      'raftline-definite': String(definite),
      'raftline-retry': String(retry),
      'raftline-details': ascii(JSON.stringify(details)),
    },
  };
}

/** The failure that the end of a call stands for, or undefined where it was not raftline that ended it. */
export function failureIn(
  message: string,
  trailer: (name: string) => string | undefined,
): Failure | undefined {
  const code = trailer('raftline-code');
  if (code === undefined) return undefined;
  let details: Record<string, unknown> = {};
  try {
    details = JSON.parse(trailer('raftline-details') ?? '{}');
  } catch {
    // The rest says enough.
  }
  return {
    ...details,
    code: code as ErrorCode,
    message,
    definite: trailer('raftline-definite') === 'true',
    retry: trailer('raftline-retry') === 'true',
  };
}

/** Whether a code is one of this version's. */
export function isKnown(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

/** The failure for a call that gRPC itself ended; undefined where the connection was at fault. */
export function foreignFailure(status: number, details: string): Failure | undefined {
  if (status === STATUS.RESOURCE_EXHAUSTED) return failure('LINE_TOO_LONG', details);
  if (status === STATUS.UNIMPLEMENTED) return failure('UNKNOWN_OP', details);
  if (status === STATUS.INVALID_ARGUMENT) return failure('BAD_REQUEST', details);
  return undefined;
}

/** Metadata holds printable ASCII alone; JSON can say the rest with escapes. */
function ascii(json: string): string {
  return json.replace(/[\x7f-\uffff]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
