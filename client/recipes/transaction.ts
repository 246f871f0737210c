import type { Condition } from '../../src/wire/fields.ts';
import { LIMITS } from '../../src/wire/limits.ts';
import { type ClientError, localError } from '../client-error.ts';
import type { CallOptions, TxnOp } from '../options.ts';
import type { Entry, GetReply, TxnReply } from '../results.ts';
import { pause } from '../roster.ts';
import { interrupted, LONGEST_TIMER, rest, type Wire } from './wire.ts';

/**
 * Milliseconds that a transaction waits at most before it is tried again: whoever was quicker is done already, and one
 * who waits for long is overtaken again and again.
 */
const LONGEST_PAUSE = 200;
/** Milliseconds that a read has beyond the deadline to say why it failed. */
const LAST_WORD = 500;
/** Milliseconds between two looks at whether the time is up, at least. */
const LOOK = 25;

/** What the work of a transaction may do. */
export interface Transaction {
  /** The value of a key, null when there is none; as this transaction leaves it, where it has changed it. */
  get(key: string): Promise<string | null>;
  /** Writes a key, once the transaction is done. */
  set(key: string, value: string, options?: { readonly lease?: number }): void;
  /** Removes a key, once the transaction is done. */
  remove(key: string): void;
}

export interface TransactionOptions extends CallOptions {
  /**
   * What must hold beside what was read, each with a `key`, such as the `guard` of a lock. When it does not, the
   * transaction is not tried again, but rejected with CONFLICT.
   */
  readonly if?: Condition | readonly Condition[];
}

/**
 * Does the work, and then, in one revision, all the changes that it asked for, provided that every key it read is as it
 * was; if not, the work is done again on what is there now. So the work may run several times, and must not leave
 * anything behind elsewhere. What it returns is what the transaction comes to; what it throws ends it without a change.
 */
export async function transaction<T>(
  wire: Wire,
  work: (transaction: Transaction) => T | Promise<T>,
  { if: required = [], timeout = wire.timeout, signal }: TransactionOptions = {},
): Promise<T> {
  const guards = Array.isArray(required) ? (required as readonly Condition[]) : [required as Condition];
  const deadline = performance.now() + timeout;
  const options = () => ({
    timeout: Math.max(1, Math.ceil(deadline - performance.now())),
    ...(signal && { signal }),
  });
  for (let nth = 1; ; nth += 1) {
    const attempt = new Attempt(wire, options);
    const late = () => (nth === 1 ? overdue(timeout) : contended(nth - 1));
    const result = await inTime(work(attempt), attempt, { deadline, signal, late });
    if (attempt.isDone(guards)) return result;
    const reply = (await wire.request('txn', attempt.request(guards), options())) as TxnReply;
    if (reply.succeeded) return result;
    const failed = failedGuard(guards, reply);
    if (failed !== undefined) {
      const words = `${failed.key} is not as the transaction requires; read it, and decide anew`;
      throw localError('CONFLICT', words, { op: 'txn' }, { key: failed.key });
    }
    const wait = pause(nth, LONGEST_PAUSE);
    if (performance.now() + wait >= deadline) throw contended(nth);
    await rest(wait, signal);
    if (signal?.aborted) throw interrupted('txn', signal);
  }
}

/**
 * What the work of an attempt comes to. When its time is up, or the signal raised, nothing of what it asks for will be
 * done. A read under way has the same time, and knows better what kept it.
 */
function inTime<T>(
  work: T | Promise<T>,
  attempt: Attempt,
  { deadline, signal, late }: { deadline: number; signal: AbortSignal | undefined; late: () => ClientError },
): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const end = (settle: () => void) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      settle();
    };
    const abort = () => end(() => reject(interrupted('txn', signal as AbortSignal)));
    const giveUp = () => end(() => reject(late()));
    const look = () => {
      const left = deadline - performance.now();
      if (left <= 0 && !(attempt.isReading && left > -LAST_WORD)) giveUp();
      else timer = setTimeout(look, Math.min(Math.max(left, LOOK), LONGEST_TIMER));
    };
    look();
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    Promise.resolve(work).then(
      result => (performance.now() < deadline ? end(() => resolve(result)) : giveUp()),
      error => end(() => reject(error)),
    );
  });
}

function overdue(timeout: number): ClientError {
  const words = `the work of the transaction was not done within ${timeout} ms; nothing was changed`;
  return localError('TIMEOUT', words, { op: 'txn' }, { definite: true });
}

/** It was done again and again, and others were always quicker. */
function contended(times: number): ClientError {
  const words = `what the transaction read was changed each of the ${times} times that it was tried; try again`;
  return localError('CONFLICT', words, { op: 'txn' }, { retry: true });
}

/** One run of the work: what it read, and what it wants changed. */
class Attempt implements Transaction {
  readonly #wire: Wire;
  readonly #options: () => CallOptions;
  readonly #reads = new Map<string, Promise<GetReply>>();
  readonly #mods = new Map<string, number>();
  readonly #changes = new Map<string, TxnOp>();
  #reading = 0;

  constructor(wire: Wire, options: () => CallOptions) {
    this.#wire = wire;
    this.#options = options;
  }

  async get(key: string): Promise<string | null> {
    const change = this.#changes.get(key);
    if (change !== undefined) return change.op === 'set' ? change.value : null;
    let read = this.#reads.get(key);
    if (read === undefined) {
      read = this.#wire.request('get', { key }, this.#options()) as Promise<GetReply>;
      this.#reads.set(key, read);
    }
    this.#reading += 1;
    try {
      const { value, mod } = await read;
      this.#mods.set(key, mod);
      return value;
    } finally {
      this.#reading -= 1;
    }
  }

  /** Whether an answer is awaited. */
  get isReading(): boolean {
    return this.#reading > 0;
  }

  set(key: string, value: string, { lease }: { readonly lease?: number } = {}): void {
    this.#changes.set(key, { op: 'set', key, value, ...(lease !== undefined && { lease }) });
  }

  remove(key: string): void {
    this.#changes.set(key, { op: 'remove', key });
  }

  /** Whether there is nothing to confirm: nothing to change, and at most one key read, at one moment. */
  isDone(guards: readonly Condition[]): boolean {
    return this.#changes.size === 0 && this.#mods.size <= 1 && guards.length === 0;
  }

  request(guards: readonly Condition[]): Readonly<Record<string, unknown>> {
    const reads = [...this.#mods].map(([key, mod]): Condition => ({ key, mod }));
    const conditions = [...guards, ...reads];
    const changes = [...this.#changes.values()];
    tooMany('reads and conditions', conditions.length, LIMITS.conditions);
    tooMany('changes', changes.length, MOST_CHANGES);
    // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
    const fields = { if: conditions, then: changes };
    // What the guards speak of is read in the same moment, to tell a guard that failed from a read that is out of date.
    const asked = guards.map(({ key = '' }): TxnOp => ({ op: 'get', key }));
    return {
      ...fields,
      ...(conditions.length === 0 && { if: undefined }),
      ...(asked.length > 0 && { else: asked }),
    };
  }
}

/** Operations that a `txn` may have. */
const MOST_CHANGES = 128;

function tooMany(what: string, count: number, limit: number): void {
  if (count <= limit) return;
  const words = `a transaction may have ${limit} ${what}, and this one has ${count}; split it up`;
  throw localError('BAD_REQUEST', words, { op: 'txn' }, { limit });
}

/** The first condition that does not hold of the keys as the transaction found them. */
function failedGuard(guards: readonly Condition[], { results }: TxnReply): Condition | undefined {
  return guards.find((guard, at) => !holds(guard, results[at] as unknown as Entry));
}

function holds(condition: Condition, found: Entry): boolean {
  const { mod, create, version, value, absent, exists } = condition;
  const isThere = found.value !== null;
  return (
    (mod === undefined || mod === found.mod) &&
    (create === undefined || create === found.create) &&
    (version === undefined || version === found.version) &&
    (value === undefined || value === found.value) &&
    (absent === undefined || !isThere) &&
    (exists === undefined || isThere)
  );
}
