import { EMPTY, type Operation, type Register, step } from './register.ts';

export type Verdict =
  | { readonly ok: true; readonly steps: number }
  | {
      readonly ok: false;
      /** Of the keys whose histories cannot be explained, the one with the fewest operations. */
      readonly key: string;
      /** The search was given up: nothing is known, which counts as a failure. */
      readonly isUndecided: boolean;
      readonly explanation: string;
      readonly steps: number;
    };

export interface CheckOptions {
  /** How many operations may be tried on each key. */
  readonly steps?: number;
}

const MOST_STEPS = 2_000_000;

/**
 * Whether a history is linearizable: whether every operation can have happened at one moment between its invocation
 * and its return, one after the other, so that each has the result that its client saw.
 *
 * The search is that of Wing and Gong with Lowe's memory: try every operation that may be next, remember every set
 * of operations done together with the state it led to, and go back from where nothing fits. Keys are independent,
 * so each is searched alone. An operation of unknown outcome stays a candidate for ever, and need never happen.
 */
export function checkLinearizable(history: readonly Operation[], options: CheckOptions = {}): Verdict {
  const keys = new Map<string, Operation[]>();
  for (const operation of history) {
    const same = keys.get(operation.key);
    if (same === undefined) keys.set(operation.key, [operation]);
    else same.push(operation);
  }
  const bySize = [...keys.entries()].sort(([, a], [, b]) => a.length - b.length);
  let steps = 0;
  for (const [key, operations] of bySize) {
    const search = new Search(operations, options.steps ?? MOST_STEPS);
    const outcome = search.run();
    steps += search.steps;
    if (outcome !== 'linearizable') {
      const isUndecided = outcome === 'undecided';
      return { ok: false, key, isUndecided, explanation: explain(key, search, isUndecided), steps };
    }
  }
  return { ok: true, steps };
}

/** One operation tried, what was before it, and what else may be tried in its place. */
interface Choice {
  readonly chosen: number;
  readonly register: Register;
  readonly lastDone: number;
  readonly others: readonly number[];
}

class Search {
  /** In the order of their invocation. */
  readonly operations: readonly Operation[];
  readonly #mostSteps: number;
  readonly #open: OpenList;
  readonly #visited = new Set<string>();
  readonly #choices: Choice[] = [];
  /** Operations that have to happen and have not. */
  #required: number;
  /** Of the operations done, the one invoked last. */
  #lastDone = -1;
  #register: Register = EMPTY;
  steps = 0;
  /** The longest sequence that fits, the register after it, and what could have come next. */
  longest: readonly number[] = [];
  longestRegister: Register = EMPTY;
  longestNext: readonly number[];

  constructor(operations: readonly Operation[], mostSteps: number) {
    this.operations = operations.filter(isSignificant).sort((a, b) => a.invoked - b.invoked);
    this.#mostSteps = mostSteps;
    this.#open = new OpenList(this.operations.length);
    this.#required = this.operations.filter(isRequired).length;
    this.longestNext = this.#candidates();
  }

  run(): 'linearizable' | 'not linearizable' | 'undecided' {
    let candidates: readonly number[] = this.#candidates();
    while (this.#required > 0) {
      if (this.steps >= this.#mostSteps) return 'undecided';
      const [next, ...others] = candidates;
      if (next !== undefined) {
        candidates = this.#take(next, others) ? this.#candidates() : others;
        continue;
      }
      const last = this.#choices.pop();
      if (last === undefined) return 'not linearizable';
      this.#undo(last);
      candidates = last.others;
    }
    return 'linearizable';
  }

  /** What may be next: whatever was invoked before anything that has to happen had returned. Sure ones come first. */
  #candidates(): readonly number[] {
    const sure: number[] = [];
    const unsure: number[] = [];
    let deadline = Number.POSITIVE_INFINITY;
    for (const at of this.#open) {
      const operation = this.#operation(at);
      if (operation.invoked > deadline) break;
      if (!isRequired(operation)) {
        unsure.push(at);
        continue;
      }
      sure.push(at);
      deadline = Math.min(deadline, operation.returned);
    }
    const harmless = sure.find(at => this.#isHarmless(at));
    return harmless === undefined ? [...this.#ripe(sure), ...unsure] : [harmless];
  }

  /**
   * Whether an operation only looks at the register, and fits what is there now. Wherever else it could happen, it
   * can as well happen now: nothing has to come before it, and what comes after finds the same. So nothing else need
   * be tried.
   */
  #isHarmless(at: number): boolean {
    const operation = this.#operation(at);
    if (!isLook(operation)) return false;
    const { mod, floor } = this.#register;
    const after = step(this.#register, operation);
    return after !== undefined && after.mod === mod && after.floor === floor;
  }

  /** Revisions only grow, so what has shown a later one than another candidate has cannot come before that one. */
  #ripe(sure: readonly number[]): readonly number[] {
    const revision = (at: number) => revisionIn(this.#operation(at)) ?? 0;
    const shown = sure.map(revision).filter(mod => mod > 0);
    const least = Math.min(...shown);
    return sure.filter(at => revision(at) <= least).sort((a, b) => revision(b) - revision(a));
  }

  #operation(at: number): Operation {
    const operation = this.operations[at];
    if (operation === undefined) throw new Error(`there is no operation ${at}`);
    return operation;
  }

  /** Does an operation next, unless it does not fit, or has led to the same before. */
  #take(chosen: number, others: readonly number[]): boolean {
    this.steps += 1;
    const after = step(this.#register, this.#operation(chosen));
    if (after === undefined) return false;
    const lastDone = Math.max(this.#lastDone, chosen);
    this.#open.remove(chosen);
    const name = this.#name(after, lastDone);
    if (this.#visited.has(name)) {
      this.#open.restore(chosen);
      return false;
    }
    this.#visited.add(name);
    this.#choices.push({ chosen, register: this.#register, lastDone: this.#lastDone, others });
    this.#register = after;
    this.#lastDone = lastDone;
    if (isRequired(this.#operation(chosen))) this.#required -= 1;
    if (this.#choices.length > this.longest.length) {
      this.longest = this.#choices.map(choice => choice.chosen);
      this.longestRegister = after;
      this.longestNext = this.#candidates();
    }
    return true;
  }

  #undo({ chosen, register, lastDone }: Choice): void {
    this.#open.restore(chosen);
    this.#register = register;
    this.#lastDone = lastDone;
    if (isRequired(this.#operation(chosen))) this.#required += 1;
  }

  /** What is done, told by what is not, since that is little; and the state it led to. */
  #name({ value, mod, floor, isUnseen }: Register, lastDone: number): string {
    const open: number[] = [];
    for (const at of this.#open) {
      if (at > lastDone) break;
      open.push(at);
    }
    return `${lastDone} ${open.join(' ')} ${mod} ${floor} ${isUnseen} ${value === null ? '' : `=${value}`}`;
  }
}

/** The operations that have not happened, in order: a list whose members can go and come back where they were. */
class OpenList {
  readonly #next: number[];
  readonly #previous: number[];
  readonly #end: number;

  constructor(count: number) {
    // One place more closes the ring.
    this.#next = Array.from({ length: count + 1 }, (_, at) => (at + 1) % (count + 1));
    this.#previous = Array.from({ length: count + 1 }, (_, at) => (at + count) % (count + 1));
    this.#end = count;
  }

  remove(at: number): void {
    this.#join(this.#previous[at] ?? 0, this.#next[at] ?? 0);
  }

  /** Undoes the latest `remove` that is not undone yet. */
  restore(at: number): void {
    this.#next[this.#previous[at] ?? 0] = at;
    this.#previous[this.#next[at] ?? 0] = at;
  }

  #join(a: number, b: number): void {
    this.#next[a] = b;
    this.#previous[b] = a;
  }

  *[Symbol.iterator](): Generator<number> {
    for (let at = this.#next[this.#end] ?? 0; at !== this.#end; at = this.#next[at] ?? 0) yield at;
  }
}

/** The revision of the key that an operation has shown, if any. */
function revisionIn({ result }: Operation): number | undefined {
  return result.kind === 'ok' || result.kind === 'conflict' ? result.mod : undefined;
}

function isRequired({ result }: Operation): boolean {
  return result.kind !== 'unknown';
}

/** What changes nothing, whatever it finds. */
function isLook({ action, result }: Operation): boolean {
  if (result.kind === 'conflict') return true;
  return result.kind === 'ok' && (action.op === 'get' || result.removed === 0);
}

/** What certainly had no effect and showed nothing is no part of the history. */
function isSignificant({ action, result }: Operation): boolean {
  return result.kind !== 'failed' && !(result.kind === 'unknown' && action.op === 'get');
}

/** How many operations of a sequence an explanation shows. */
const SHOWN = 10;

function explain(key: string, search: Search, isUndecided: boolean): string {
  const { operations, longest, longestRegister, longestNext, steps } = search;
  const tell = (at: number): string => {
    const operation = operations[at];
    return operation === undefined ? '' : `  ${told(operation)}`;
  };
  const { value, mod, floor } = longestRegister;
  const state =
    value === null ? 'absent' : `${JSON.stringify(value)} at ${mod ?? `some revision above ${floor}`}`;
  return [
    isUndecided
      ? `${key}: no answer after ${steps} steps, which counts as a failure`
      : `${key}: no order of its ${operations.length} operations explains what the clients saw`,
    `the longest sequence that fits has ${longest.length} operations, and ends with`,
    ...longest.slice(-SHOWN).map(tell),
    `after which the key is ${state}; next would have to be one of`,
    ...longestNext.map(tell),
  ].join('\n');
}

function told({ client, action, invoked, returned, result }: Operation): string {
  const value = action.op === 'set' ? ` ${JSON.stringify(action.value)}` : '';
  const condition = action.op !== 'get' && action.if !== undefined ? ` if ${JSON.stringify(action.if)}` : '';
  const { kind, ...details } = result;
  const until = kind === 'unknown' ? '…' : `${returned}`;
  const outcome = Object.keys(details).length > 0 ? `${kind} ${JSON.stringify(details)}` : kind;
  return `[${invoked}, ${until}] ${client}: ${action.op}${value}${condition} -> ${outcome}`;
}
