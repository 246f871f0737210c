import type { Condition } from '../../src/wire/fields.ts';
import type { ChangeRequest, Request } from '../../src/wire/ops.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import type { Answers } from './answers.ts';
import type { Dice } from './dice.ts';
import { MS } from './event-loop.ts';
import type { Operation, Tally } from './history.ts';
import { marked } from './ledger.ts';
import type { SimNode } from './sim-node.ts';
import type { Timeline } from './timeline.ts';

export interface SimClientOptions {
  readonly name: string;
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly nodes: readonly SimNode[];
  readonly keys: readonly string[];
  readonly answers: Answers;
  readonly history: Operation[];
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
  readonly #values = new Map<string, string | null>();

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
    const { dice } = this.#options;
    const value = this.#values.get(key);
    if (typeof value === 'string' && dice.chance(0.4)) return { value };
    if (dice.chance(0.5)) return { mod: this.#mods.get(key) ?? 0 };
    return dice.chance(0.3) ? { absent: true } : { exists: true };
  }

  #learn(request: Request, outcome: Outcome | undefined): void {
    if (outcome?.ok !== true || !('key' in request) || request.key === undefined) return;
    this.#mods.set(request.key, Number(outcome.mod ?? 0));
    if (request.op === 'set') this.#values.set(request.key, request.value);
    if (request.op === 'get') this.#values.set(request.key, outcome.value as string | null);
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
    const isUnknown = outcome === undefined || (!outcome.ok && !outcome.error.definite);
    const isConflict = outcome?.ok === false && outcome.error.code === 'CONFLICT';
    const isGet = request.op === 'get';
    const isStale = isGet && request.read === 'stale';
    if (isStale) tally.stale += 1;
    else if (isUnknown) tally.unknown += 1;
    else if (isConflict) tally.conflict += 1;
    else if (outcome.ok) tally.done += 1;
    else tally.refused += 1;
    if (isStale || (isGet && outcome?.ok !== true)) return;
    if (!isUnknown && !isConflict && !outcome.ok) return;
    if (request.op !== 'get' && request.op !== 'set' && request.op !== 'remove') return;
    const reply = outcome?.ok === true ? outcome : undefined;
    history.push({
      client: name,
      kind: request.op,
      key: request.key ?? '',
      value: request.op === 'set' ? request.value : undefined,
      condition: isGet ? undefined : conditionOf(request),
      invoked: this.#invoked,
      completed: timeline.now,
      outcome: isUnknown ? 'unknown' : isConflict ? 'conflict' : 'done',
      shown: isGet ? ((reply?.value as string | null) ?? null) : undefined,
      mod: Number(reply?.mod ?? 0),
      removed: reply?.removed === 1,
    });
  }
}

/** The same request as another change: the one before was not made. */
function remarked(request: Request, mark: string): Request {
  if (request.op !== 'set' && request.op !== 'remove') return request;
  return { ...request, if: [...(request.if ?? []).slice(0, -1), marked(mark)] };
}

/** The condition of a change beside its mark. */
function conditionOf(request: ChangeRequest): Condition | undefined {
  return request.if?.find(condition => condition.key === undefined);
}

function nameOf(request: Request): string {
  const mark = 'if' in request ? request.if?.at(-1)?.key : '';
  return `${request.op} ${'key' in request ? request.key : ''} ${mark}`;
}

function textOf(outcome: Outcome): string {
  if (!outcome.ok) return outcome.error.code;
  return 'mod' in outcome ? `rev ${outcome.rev}, mod ${outcome.mod}` : `rev ${outcome.rev}`;
}
