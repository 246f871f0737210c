import { lateWords, UNKNOWN_OUTCOME } from '../src/wire/errors.ts';
import type { Call } from './call.ts';
import { ClientError, localError } from './client-error.ts';

/** A request was sent, and its time has passed without a reply. */
export function overdue(call: Call, address: string): ClientError {
  const advice = call.isSafe ? 'try again' : UNKNOWN_OUTCOME;
  const words = `${address} did not answer within ${call.timeout} ms; ${advice}${before(call)}`;
  return localError('TIMEOUT', words, { op: call.op, address }, { definite: call.isSafe });
}

/**
 * A node's answer, as the caller of a request that was sent more than once has to read it: the time that a node names
 * is what was left when it was asked, and what stood in the way before may be why it was too little.
 */
export function inFull(call: Call, error: ClientError): ClientError {
  const { code, address, line, failure } = error;
  if (code !== 'TIMEOUT' || failure.timeout === undefined) return error;
  const words = lateWords(call.op, call.timeout, !error.definite) + before(call);
  const whole = { ...failure, message: words, timeout: call.timeout };
  return new ClientError(whole, { op: call.op, address, line });
}

/** What a node said to an earlier attempt, where one was refused for the time being. */
function before({ lastError }: Call): string {
  if (lastError === undefined) return '';
  return `; before that, ${lastError.address} answered ${lastError.code}: ${lastError.message}`;
}

/** A change was sent, and the connection then lost. */
export function outcomeUnknown(call: Call, address: string, why: string): ClientError {
  const words = `${address} ${why} before it answered; ${UNKNOWN_OUTCOME}`;
  return localError('LEADER_LOST', words, { op: call.op, address });
}

/** Answers that tell what became of a change however often it was sent: they are as true of every attempt. */
const SETTLING: ReadonlySet<string> = new Set(['CONFLICT', 'LEASE_NOT_FOUND', 'BAD_REQUEST', 'TOO_LARGE']);

/** The error that ends a call: when an earlier attempt went unanswered, a refusal of the last one is not the whole truth. */
export function uncertain(call: Call, error: ClientError): ClientError {
  const { unansweredBy, op } = call;
  if (unansweredBy === undefined || !error.definite || SETTLING.has(error.code)) return error;
  const words = `${error.message}; ${unansweredBy} was sent it before and did not answer: ${UNKNOWN_OUTCOME}`;
  const { address, line } = error;
  return new ClientError({ ...error.failure, message: words, definite: false }, { op, address, line });
}

/** A call waited in vain; `error` is what stood in its way, which may be the answer to another request. */
export function refusedFor(call: Call, error: ClientError): ClientError {
  const { address, line, failure } = error;
  const isUnknown = call.unansweredBy !== undefined && !error.definite;
  const own = new ClientError({ ...failure, definite: !isUnknown }, { op: call.op, address, line });
  return uncertain(call, own);
}

/** The client was closed; `sentTo` is the node that the request had been sent to, if it had. */
export function closed(call: Call, sentTo: string | undefined): ClientError {
  const circumstances = { op: call.op, address: sentTo };
  if (sentTo === undefined || call.isSafe) {
    return localError('SHUTTING_DOWN', 'this client is closed', circumstances, { retry: false });
  }
  return localError(
    'LEADER_LOST',
    `this client was closed before the reply came; ${UNKNOWN_OUTCOME}`,
    circumstances,
  );
}

/** The caller's signal was raised. */
export function aborted(
  call: Call,
  signal: AbortSignal,
  isSent: boolean,
  address: string | undefined,
): ClientError {
  const definite = !isSent || call.isSafe;
  const words = `interrupted${definite ? '' : `; ${UNKNOWN_OUTCOME}`}`;
  const circumstances = { op: call.op, address, cause: signal.reason };
  const error = localError('TIMEOUT', words, circumstances, { definite, retry: false });
  error.name = 'AbortError';
  return error;
}

/** There are as many of these as the cluster has room for: that may last much longer than a request. */
export function isOutOfRoom({ code, failure }: ClientError): boolean {
  return code === 'BUSY' && failure.limit !== undefined;
}
