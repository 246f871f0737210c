import { type Failure, failure, RaftlineError } from './errors.ts';
import type { RequestId } from './ops.ts';

/** What a request came to. `rev` is the store's revision. */
export type Outcome = Success | { readonly ok: false; readonly error: Failure };

export interface Success {
  readonly ok: true;
  readonly rev: number;
  readonly [field: string]: unknown;
}

export function failed(error: Failure): Outcome {
  return { ok: false, error };
}

/** The outcome of anything thrown: our own errors as they are, any other as INTERNAL. */
export function outcomeOf(error: unknown): Outcome {
  if (error instanceof RaftlineError) return failed(error.failure);
  const message = error instanceof Error ? error.message : String(error);
  return failed(failure('INTERNAL', `a fault in this node: ${message}`));
}

/** A reply line without its newline; `id` is echoed first, and left out when the request had none. */
export function encodeReply(id: RequestId | null | undefined, outcome: Outcome): string {
  const body = JSON.stringify(outcome);
  if (id === undefined) return body;
  return `{"id":${typeof id === 'string' ? JSON.stringify(id) : id},${body.slice(1)}`;
}
