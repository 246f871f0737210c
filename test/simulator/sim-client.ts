import type { KeyChange, RequestOf } from '../../src/wire/ops.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import type { Action, Condition, Result } from '../shared/register.ts';
import { Attempt, type End, type Surroundings } from './attempt.ts';
import { MS } from './event-loop.ts';
import type { History, Tally } from './history.ts';
import { marked, markOf } from './ledger.ts';

/** How much a client does. */
export interface Habits {
  readonly keys: readonly string[];
  /** Operations that may be under way at a time, and microseconds between two. */
  readonly most: number;
  readonly pause: number;
}

export interface SimClientOptions extends Surroundings, Habits {
  readonly name: string;
  readonly history: History;
  readonly tally: Tally;
}

/** An operation on one key, as the checker of histories knows it. */
export type KeyRequest = RequestOf<'get'> | KeyChange;

/** Tries of one operation after answers that say it was not done and may be tried again. */
const TRIES = 3;

/** A client: sends operations to any node, many at a time, and writes down what it learns of each. */
export class SimClient {
  readonly #options: SimClientOptions;
  readonly #attempts = new Set<Attempt>();
  #count = 0;
  #isStopped = false;
  /** The last revision of each key that it was shown, for conditions. */
  readonly #mods = new Map<string, number>();

  constructor(options: SimClientOptions) {
    this.#options = options;
    this.#next();
  }

  /** Sends nothing new. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Gives up what is under way; nobody will know what becomes of it. */
  finish(): void {
    for (const attempt of [...this.#attempts]) attempt.giveUp();
  }

  #next(): void {
    const { timeline, dice, most, pause } = this.#options;
    timeline.after(dice.around(pause), () => {
      if (this.#isStopped) return;
      if (this.#attempts.size < most) {
        this.#count += 1;
        this.#try(this.#request(`${this.#options.name}.${this.#count}`), TRIES);
      }
      this.#next();
    });
  }

  #try(request: KeyRequest, tries: number): void {
    const { timeline, dice, nodes, answers } = this.#options;
    const invoked = timeline.now;
    const attempt = new Attempt(this.#options, request, dice.pick(nodes), answers.floor, end => {
      this.#attempts.delete(attempt);
      this.#record(request, end, invoked);
      const { outcome } = end;
      this.#learn(request, outcome);
      const mayRetry = outcome?.ok === false && outcome.error.definite && outcome.error.retry;
      if (!mayRetry || tries === 1 || this.#isStopped) return;
      timeline.after(50 * MS + dice.around(100 * MS), () => {
        this.#count += 1;
        this.#try(remarked(request, `${this.#options.name}.${this.#count}`), tries - 1);
      });
    });
    this.#attempts.add(attempt);
    attempt.send();
  }

  /** Writes down what was learnt of an operation that is over. */
  #record(request: KeyRequest, end: End, invoked: number): void {
    const { tally, history, name, timeline } = this.#options;
    if (end.how === 'refused') {
      tally.refused += 1;
      return;
    }
    const result = resultOf(request, end.outcome);
    if (request.op === 'get' && request.read === 'stale') {
      tally.stale += 1;
      return;
    }
    tally[TALLY[result.kind]] += 1;
    const mark = request.op === 'get' ? undefined : markOf(request);
    const times = { invoked, returned: timeline.now };
    history.add({ client: name, key: request.key ?? '', action: actionOf(request), ...times, result }, mark);
  }

  #request(mark: string): KeyRequest {
    const { dice, keys } = this.#options;
    const key = dice.pick(keys);
    const timeout = dice.pick([500, 1_000, 2_000, 5_000]);
    const kind = dice.next();
    if (kind < 0.3) return { op: 'get', key, timeout };
    if (kind < 0.38) return { op: 'get', key, timeout, read: 'stale' };
    const conditions = dice.chance(0.3) ? [this.#condition(key), marked(mark)] : [marked(mark)];
    if (kind > 0.9) return { op: 'remove', key, timeout, if: conditions };
    const padding = dice.chance(0.05) ? dice.below(2_000) : dice.below(40);
    return { op: 'set', key, value: `${mark} ${'x'.repeat(padding)}`, timeout, if: conditions };
  }

  #condition(key: string): Condition {
    return this.#options.dice.chance(0.8) ? { mod: this.#mods.get(key) ?? 0 } : { absent: true };
  }

  #learn(request: KeyRequest, outcome: Outcome | undefined): void {
    if (outcome?.ok !== true || request.key === undefined) return;
    this.#mods.set(request.key, Number(outcome.mod ?? 0));
  }
}

export const TALLY = { ok: 'done', conflict: 'conflict', failed: 'refused', unknown: 'unknown' } as const;

/** What the client learnt. */
export function resultOf(request: KeyRequest, outcome: Outcome | undefined): Result {
  if (outcome === undefined) return { kind: 'unknown' };
  if (!outcome.ok) {
    const { code, definite, mod } = outcome.error;
    if (code === 'CONFLICT') return { kind: 'conflict', mod: Number(mod) };
    return { kind: definite ? 'failed' : 'unknown' };
  }
  if (request.op === 'remove') return { kind: 'ok', removed: Number(outcome.removed) };
  const mod = Number(outcome.mod);
  return request.op === 'get'
    ? { kind: 'ok', value: outcome.value as string | null, mod }
    : { kind: 'ok', mod };
}

/** The operation as the checker of histories knows it: without its mark, which always holds. */
export function actionOf(request: KeyRequest): Action {
  if (request.op === 'get') return { op: 'get' };
  const condition = request.if?.find(({ key }) => key === undefined) as Condition | undefined;
  const only = condition === undefined ? {} : { if: condition };
  return request.op === 'set' ? { op: 'set', value: request.value, ...only } : { op: 'remove', ...only };
}

/** The same request as another change: the one before was not made. */
function remarked(request: KeyRequest, mark: string): KeyRequest {
  if (request.op === 'get') return request;
  return { ...request, if: [...(request.if ?? []).slice(0, -1), marked(mark)] };
}
