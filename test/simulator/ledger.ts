import { entryLine } from '../../src/node/record.ts';
import type { Entry } from '../../src/raft/entry.ts';
import { type Command, type Effect, Model } from './model.ts';
import { violated } from './violation.ts';

/** A committed entry: its term, the checksum of its record, and a term no later than which it was committed. */
export interface Line {
  readonly term: number;
  readonly sum: string;
  readonly committedIn: number;
}

/** A change in the ledger. */
export interface Done {
  readonly index: number;
  readonly effect: Effect;
  /** When it was first known to be committed. */
  readonly at: number;
}

export interface LedgerOptions {
  /** Microseconds of true time. */
  readonly now: () => number;
  /** How fast the fastest clock of a node runs: 1 is right. */
  readonly fastest: number;
}

/** The one sequence of committed entries that all nodes must agree on, and what it makes of the store. */
export class Ledger {
  readonly model = new Model();
  readonly #options: LedgerOptions;
  readonly #lines: Line[] = [];
  /** The terms of committed entries. */
  readonly terms = new Set<number>();
  /** When each entry was first in a log, by its index and its term. */
  readonly #begun = new Map<number, number>();
  /** What became of each change; of one under a session, every time that it came. */
  readonly #done = new Map<string, Done[]>();
  /** Leases and sessions that were granted, and whoever asked without a session cannot be told by. */
  readonly #opened = new Map<string, Effect>();
  /** Changes that a client was told would never happen. */
  readonly #never = new Map<string, string>();

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  get last(): number {
    return this.#lines.length;
  }

  lineAt(index: number): Line | undefined {
    return this.#lines[index - 1];
  }

  /** What became of a change, by its mark; undefined while it is not committed. */
  doneOf(mark: string): Done | undefined {
    return this.#done.get(mark)?.[0];
  }

  /** The same, every time that it came: a change under a session may come more than once. */
  allOf(mark: string): readonly Done[] {
    return this.#done.get(mark) ?? [];
  }

  /** What the granting of a lease, or the opening of a session, came to: as in `lease 5`. */
  openedAs(what: string): Effect | undefined {
    return this.#opened.get(what);
  }

  /** A client was told that a change was not made and never will be. */
  forbid(mark: string, code: string): void {
    const done = this.doneOf(mark);
    if (done !== undefined) {
      violated('a definite error is never committed', `${mark}: ${code}, but it is entry ${done.index}`);
    }
    this.#never.set(mark, code);
  }

  /** An entry is in a log, for the first time: its leader has just taken it on. */
  begin({ index, term }: Entry): void {
    this.#begun.set(placeOf(index, term), this.#options.now());
  }

  /** A node that is in a term has learnt that an entry is committed; true when it is the first to. */
  commit(node: string, nodeTerm: number, entry: Entry): boolean {
    const { index, term } = entry;
    const sum = entryLine(entry).slice(0, 8);
    const known = this.#lines[index - 1];
    if (known !== undefined) {
      if (known.term === term && known.sum === sum) return false;
      violated(
        'State Machine Safety (Figure 3)',
        `${node} has committed entry ${index} of term ${term} (${sum}), others of term ${known.term} (${known.sum})`,
      );
    }
    if (index !== this.last + 1) violated('nothing is skipped', `${node}: ${index} after ${this.last}`);
    this.#lines.push({ term, sum, committedIn: nodeTerm });
    this.terms.add(term);
    if (isCommand(entry.command)) this.#apply(entry, entry.command);
    return true;
  }

  #apply({ index, term }: Entry, command: Command): void {
    const begun = (this.#begun.get(placeOf(index, term)) ?? this.#options.now()) / 1_000;
    const effect = this.model.change(command, begun);
    this.#checkEnded(begun);
    const { lease, session } = effect.told.fields;
    if (command.op === 'grant' && lease !== undefined) this.#opened.set(`lease ${lease}`, effect);
    if (command.op === 'session' && session !== undefined) this.#opened.set(`session ${session}`, effect);
    const mark = markOf(command);
    if (mark !== undefined) this.#note(mark, index, effect, command.session !== undefined);
  }

  /** Nothing that was promised for a time ends before it, by whatever clock the leaders went. */
  #checkEnded(now: number): void {
    for (const { what, ttl, trulySince } of this.model.ended) {
      const lived = now - trulySince;
      if (lived * this.#options.fastest >= ttl * 1_000) continue;
      violated('nothing ends before its time', `${what} of ${ttl} s ended after ${lived.toFixed(0)} ms`);
    }
  }

  #note(mark: string, index: number, effect: Effect, mayRepeat: boolean): void {
    const before = this.doneOf(mark);
    if (before !== undefined && !mayRepeat) {
      violated('a change happens once', `${mark} is both entry ${before.index} and entry ${index}`);
    }
    const code = this.#never.get(mark);
    if (code !== undefined) {
      violated('a definite error is never committed', `${mark} was answered ${code} and is entry ${index}`);
    }
    const done = { index, effect, at: this.#options.now() };
    this.#done.set(mark, [...this.allOf(mark), done]);
  }
}

/** What is no command is a no-op or a configuration. */
function isCommand(command: unknown): command is Command {
  const op = (command as { op?: unknown } | null)?.op;
  return typeof op === 'string' && op !== 'configure';
}

function placeOf(index: number, term: number): number {
  return index * 2 ** 20 + term;
}

/** The prefix of keys that never exist: that one of them is absent holds always, and tells one change from another. */
const MARK = 'mark ';

/** A condition that always holds and marks a change as this one. */
export function marked(mark: string): { readonly key: string; readonly absent: true } {
  return { key: `${MARK}${mark}`, absent: true };
}

/** The mark of a change, which one under a session has in its number; undefined where nothing tells it from others. */
export function markOf({ session, seq, if: conditions }: Command): string | undefined {
  if (session !== undefined) return `session ${session} seq ${seq}`;
  for (const { key } of conditions ?? []) if (key?.startsWith(MARK)) return key.slice(MARK.length);
  return undefined;
}
