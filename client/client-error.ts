import { type ErrorCode, type Failure, failure, RaftlineError } from '../src/wire/errors.ts';

/** What is known beside the failure itself. */
interface Circumstances {
  readonly op: string;
  /** The node that answered, or was asked last. */
  readonly address?: string | undefined;
  /** The reply line as it came, when the failure is a node's answer. */
  readonly line?: string | undefined;
  readonly cause?: unknown;
}

/**
 * Why a request failed. `code` is from the one list, `definite: true` promises that the request had no effect and
 * never will, and `retry: true` says that the same request may succeed later.
 *
 * A node's own answer has the `line` it came in. The rest the client found by itself: NODE_UNREACHABLE (never
 * sent), TIMEOUT, LEADER_LOST (a change was sent and the connection then lost), SHUTTING_DOWN (the client was
 * closed). When a caller's signal ended the request, `name` is AbortError, `code` TIMEOUT, and `cause` its reason.
 */
export class ClientError extends RaftlineError {
  readonly op: string;
  readonly address: string | undefined;
  readonly line: string | undefined;

  constructor(failed: Failure, { op, address, line, cause }: Circumstances) {
    super(failed);
    this.name = 'ClientError';
    this.op = op;
    this.address = address;
    this.line = line;
    if (cause !== undefined) this.cause = cause;
  }
}

/** A failure that the client found by itself. */
export function localError(
  code: ErrorCode,
  message: string,
  circumstances: Circumstances,
  details?: Record<string, unknown>,
): ClientError {
  return new ClientError(failure(code, message, details), circumstances);
}

/** The failure in an error reply. A promise that the reply does not make is not assumed. */
export function replyError(error: unknown, op: string, address: string, line: string): ClientError {
  const { code, message, definite, retry, ...details } = (error ?? {}) as Partial<Failure>;
  const failed: Failure = {
    ...details,
    code: typeof code === 'string' ? code : 'INTERNAL',
    message: typeof message === 'string' ? message : 'the node gave no reason',
    definite: definite === true,
    retry: retry === true,
  };
  return new ClientError(failed, { op, address, line });
}
