import type { KeyChange, Request, RequestOf } from '../../src/wire/ops.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import type { Action, Condition, Result } from '../shared/register.ts';
import type { Answers } from './answers.ts';
import type { Dice } from './dice.ts';
import { MS } from './event-loop.ts';
import type { History, Tally } from './history.ts';
import { marked, markOf } from './ledger.ts';
import type { SimNode } from './sim-node.ts';
import type { Timeline } from './timeline.ts';

export interface SimClientOptions {
  readonly name: string;
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly nodes: readonly SimNode[];
  readonly keys: readonly string[];
  readonly answers: Answers;
  readonly history: History;
  readonly tally: Tally;
  /** Runs checks, and keeps what they find from whoever called. */
  readonly guard: (checks: () => void) => void;
  readonly trace: (text: () => string) => void;
  /** Operations that may be under way at a time, and microseconds between two. */
  readonly most: number;
  readonly pause: number;
}

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

  #try(request: Request, tries: number): void {
    const { timeline, dice, nodes } = this.#options;
    const attempt = new Attempt(this.#options, request, dice.pick(nodes), outcome => {
      this.#attempts.delete(attempt);
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

  #request(mark: string): Request {
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

  #learn(request: Request, outcome: Outcome | undefined): void {
    if (outcome?.ok !== true || !('key' in request) || request.key === undefined) return;
    this.#mods.set(request.key, Number(outcome.mod ?? 0));
  }
}

/** One request on its way to a node and back; undefined for an outcome when nobody will ever know. */
class Attempt {
  readonly #options: SimClientOptions;
  readonly #request: Request;
  readonly #node: SimNode;
  readonly #done: (outcome: Outcome | undefined) => void;
  readonly #invoked: number;
  readonly #floor: number;
  #isOver = false;

  constructor(
    options: SimClientOptions,
    request: Request,
    node: SimNode,
    done: (outcome: Outcome | undefined) => void,
  ) {
    this.#options = options;
    this.#request = request;
    this.#node = node;
    this.#done = done;
    this.#invoked = options.timeline.now;
    this.#floor = options.answers.floor;
  }

  send(): void {
    const { timeline, dice } = this.#options;
    const patience = (this.#request.timeout ?? 5_000) + 1_000;
    timeline.after(patience * MS, () => this.#end(undefined, 0));
    timeline.after(100 + dice.around(300), () => {
      if (!this.#node.isRunning) {
        this.#refused();
        return;
      }
      const { life } = this.#node;
      this.#node.request(this.#request, outcome => this.#answered(outcome));
      this.#watchFor(life);
    });
  }

  giveUp(): void {
    this.#end(undefined, 0);
  }

  /** A connection that ends with its process tells the client within a while that no answer will come. */
  #watchFor(life: number): void {
    const { timeline, dice } = this.#options;
    timeline.after(200 * MS + dice.around(100 * MS), () => {
      if (this.#isOver) return;
      if (this.#node.life !== life || !this.#node.isRunning) this.#end(undefined, 0);
      else this.#watchFor(life);
    });
  }

  /** Nobody listens there: it is certain that nothing was done. */
  #refused(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.tally.refused += 1;
    this.#done(undefined);
  }

  #answered(outcome: Outcome): void {
    const { timeline, dice, answers, guard, trace } = this.#options;
    let rev = 0;
    guard(() => {
      rev = answers.judge(this.#node.id, this.#request, outcome, this.#floor);
    });
    trace(() => `${this.#node.id} answers ${nameOf(this.#request)}: ${textOf(outcome)}`);
    if (dice.chance(0.005)) return; // the connection breaks, and the answer is lost
    timeline.after(100 + dice.around(300), () => this.#end(outcome, rev));
  }

  #end(outcome: Outcome | undefined, rev: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.answers.show(rev);
    this.#record(outcome);
    this.#done(outcome);
  }

  #record(outcome: Outcome | undefined): void {
    const { tally, history, name, timeline } = this.#options;
    const request = this.#request;
    const result = resultOf(request, outcome);
    if (request.op === 'get' && request.read === 'stale') tally.stale += 1;
    else {
      tally[TALLY[result.kind]] += 1;
      if (request.op !== 'get' && request.op !== 'set' && request.op !== 'remove') return;
      const { key = '' } = request;
      const times = { invoked: this.#invoked, returned: timeline.now };
      const mark = request.op === 'get' ? undefined : markOf(request);
      history.add({ client: name, key, action: actionOf(request), ...times, result }, mark);
    }
  }
}

const TALLY = { ok: 'done', conflict: 'conflict', failed: 'refused', unknown: 'unknown' } as const;

/** What the client learnt. */
function resultOf(request: Request, outcome: Outcome | undefined): Result {
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
function actionOf(request: RequestOf<'get'> | KeyChange): Action {
  if (request.op === 'get') return { op: 'get' };
  const condition = request.if?.find(({ key }) => key === undefined) as Condition | undefined;
  const only = condition === undefined ? {} : { if: condition };
  return request.op === 'set' ? { op: 'set', value: request.value, ...only } : { op: 'remove', ...only };
}

/** The same request as another change: the one before was not made. */
function remarked(request: Request, mark: string): Request {
  if (request.op !== 'set' && request.op !== 'remove') return request;
  return { ...request, if: [...(request.if ?? []).slice(0, -1), marked(mark)] };
}

function nameOf(request: Request): string {
  const mark = 'if' in request ? request.if?.at(-1)?.key : '';
  return `${request.op} ${'key' in request ? request.key : ''} ${mark}`;
}

function textOf(outcome: Outcome): string {
  if (!outcome.ok) return outcome.error.code;
  return 'mod' in outcome ? `rev ${outcome.rev}, mod ${outcome.mod}` : `rev ${outcome.rev}`;
}
