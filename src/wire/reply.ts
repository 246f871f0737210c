import { type Failure, failure, RaftlineError } from './errors.ts';
import type { RequestId } from './ops.ts';
import { quoted } from './text.ts';

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

/**
 * A reply line without its newline; `id` is echoed first, and left out when the request had none. It is written
 * field by field, since most fields are numbers: that takes half the time of `JSON.stringify`.
 */
export function encodeReply(id: RequestId | null | undefined, outcome: Outcome): string {
  let line = id === undefined ? '{"ok":' : `{"id":${typeof id === 'string' ? quoted(id) : id},"ok":`;
  line += outcome.ok;
  for (const name in outcome) {
    const value: unknown = outcome[name as keyof Outcome];
    if (name === 'ok' || value === undefined) continue;
    line += label(name);
    if (typeof value === 'string') line += quoted(value);
    else line += Number.isSafeInteger(value) ? value : JSON.stringify(value);
  }
  return `${line}}`;
}

/** What stands before a field's value. There are only as many as our own replies have names. */
const labels = new Map<string, string>();

function label(name: string): string {
  let text = labels.get(name);
  if (text === undefined) {
    text = `,${JSON.stringify(name)}:`;
    labels.set(name, text);
  }
  return text;
}
