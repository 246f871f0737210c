/**
 * Every error that a node can answer with. A code carries two promises to the client:
 * `definite`: the request had no effect and never will; `retry`: the same line may succeed later.
 */
export const ERRORS = {
  BAD_JSON: { definite: true, retry: false },
  BAD_ENCODING: { definite: true, retry: false },
  BAD_REQUEST: { definite: true, retry: false },
  UNKNOWN_OP: { definite: true, retry: false },
  LINE_TOO_LONG: { definite: true, retry: false },
  TOO_LARGE: { definite: true, retry: false },
  WRONG_STAGE: { definite: true, retry: false },

  CONFLICT: { definite: true, retry: false },
  COMPACTED: { definite: true, retry: false },
  FUTURE_REV: { definite: true, retry: false },
  LEASE_NOT_FOUND: { definite: true, retry: false },
  SESSION_EXPIRED: { definite: true, retry: false },

  NOT_LEADER: { definite: true, retry: true },
  NO_LEADER: { definite: true, retry: true },
  NO_QUORUM: { definite: true, retry: true },
  NOT_INITIALISED: { definite: true, retry: true },
  ALREADY_INITIALISED: { definite: true, retry: false },
  CHANGE_IN_PROGRESS: { definite: true, retry: true },
  UNKNOWN_NODE: { definite: true, retry: false },
  NODE_UNREACHABLE: { definite: true, retry: true },
  CLUSTER_MISMATCH: { definite: true, retry: false },

  BUSY: { definite: true, retry: true },
  NO_SPACE: { definite: true, retry: true },
  SLOW_CONSUMER: { definite: true, retry: true },
  SHUTTING_DOWN: { definite: true, retry: true },

  TIMEOUT: { definite: false, retry: true },
  LEADER_LOST: { definite: false, retry: true },
  INTERNAL: { definite: false, retry: false },

  UNAUTHENTICATED: { definite: true, retry: false },
  DENIED: { definite: true, retry: false },
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** What an error reply carries under `error`: the code's promises, words for people, and the code's own details. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly definite: boolean;
  readonly retry: boolean;
  readonly [detail: string]: unknown;
}

/** A failure with its code's usual promises; `details` adds to them or, where an outcome is unknown, overrides them. */
export function failure(code: ErrorCode, message: string, details?: Record<string, unknown>): Failure {
  return { code, message, ...ERRORS[code], ...details };
}

/** What to do about a change whose outcome nobody here knows. */
export const UNKNOWN_OUTCOME = 'it may or may not have happened: read before you repeat it';

/** That the time of a request was up, in words; `isOpen`: it is a change, and may have happened. */
export function lateWords(op: string, milliseconds: number, isOpen: boolean): string {
  return `${op} was not done within ${milliseconds} ms; ${isOpen ? UNKNOWN_OUTCOME : 'try again'}`;
}

/** A failure on its way to whoever asked. */
export class RaftlineError extends Error {
  readonly failure: Failure;

  constructor(failed: Failure) {
    super(failed.message);
    this.name = 'RaftlineError';
    this.failure = failed;
  }

  get code(): ErrorCode {
    return this.failure.code;
  }

  /** True when the request had no effect and never will. */
  get definite(): boolean {
    return this.failure.definite;
  }

  /** True when the same request may succeed later. */
  get retry(): boolean {
    return this.failure.retry;
  }
}

/** Refuses a request: throws a `RaftlineError` for the server to answer with. */
export function refuse(code: ErrorCode, message: string, details?: Record<string, unknown>): never {
  throw new RaftlineError(failure(code, message, details));
}
