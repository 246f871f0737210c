import type { Success } from '../../src/wire/reply.ts';
import type { Fields } from '../call.ts';
import { type ClientError, localError } from '../client-error.ts';
import type { CallOptions } from '../options.ts';
import type { Stream, StreamListener } from '../transport.ts';

/** All that the recipes know of a client and of what lies behind it. */
export interface Wire {
  /** Milliseconds that a request may take when nobody says. */
  readonly timeout: number;
  request(op: string, fields: Fields, options?: CallOptions): Promise<Success>;
  open(op: string, fields: Fields, listener: StreamListener): Stream;
  /** The node asked is of no help: another is to have its turn, where there is one. */
  forsake(why: string): void;
  /** What is to be ended when the client closes, until it has ended by itself; returns what takes it out again. */
  keep(end: () => Promise<void>): () => void;
}

/** The caller's signal was raised while there was nothing under way that could still happen. */
export function interrupted(op: string, signal: AbortSignal): ClientError {
  const details = { definite: true, retry: false };
  const error = localError('TIMEOUT', 'interrupted', { op, cause: signal.reason }, details);
  error.name = 'AbortError';
  return error;
}

/** A signal that is raised when one of these is, as many of them as there are. */
export function anyOf(...signals: (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter(signal => signal !== undefined));
}

/** Milliseconds that a timer can wait at most. */
export const LONGEST_TIMER = 2_147_483_647;

/** Resolves after so many milliseconds, or at once when the signal is raised. */
export function rest(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done);
  });
}
