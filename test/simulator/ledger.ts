import { entryLine } from '../../src/node/record.ts';
import type { Entry } from '../../src/raft/entry.ts';
import type { KeyChange } from '../../src/wire/ops.ts';
import { type Effect, Model } from './model.ts';
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

/** The one sequence of committed entries that all nodes must agree on, and what it makes of the store. */
export class Ledger {
  readonly model = new Model();
  readonly #lines: Line[] = [];
  readonly #done = new Map<string, Done>();
  /** Changes that a client was told would never happen. */
  readonly #never = new Map<string, string>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  get last(): number {
    return this.#lines.length;
  }

  lineAt(index: number): Line | undefined {
    return this.#lines[index - 1];
  }

  /** What became of a change, by its mark; undefined while it is not committed. */
  doneOf(mark: string): Done | undefined {
    return this.#done.get(mark);
  }

  /** A client was told that a change was not made and never will be. */
  forbid(mark: string, code: string): void {
    const done = this.#done.get(mark);
    if (done !== undefined) {
      violated('a definite error is never committed', `${mark}: ${code}, but it is entry ${done.index}`);
    }
    this.#never.set(mark, code);
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
    if (isChange(entry.command)) this.#apply(index, entry.command);
    return true;
  }

  #apply(index: number, command: KeyChange): void {
    const effect = this.model.change(command);
    const mark = markOf(command);
    const before = this.#done.get(mark);
    if (before !== undefined) {
      violated('a change happens once', `${mark} is both entry ${before.index} and entry ${index}`);
    }
    const code = this.#never.get(mark);
    if (code !== undefined) {
      violated('a definite error is never committed', `${mark} was answered ${code} and is entry ${index}`);
    }
    this.#done.set(mark, { index, effect, at: this.#now() });
  }
}

function isChange(command: unknown): command is KeyChange {
  const op = (command as { op?: unknown } | null)?.op;
  return op === 'set' || op === 'remove';
}

/** The prefix of keys that never exist: that one of them is absent holds always, and tells one change from another. */
const MARK = 'mark ';

/** A condition that always holds and marks a change as this one. */
export function marked(mark: string): { readonly key: string; readonly absent: true } {
  return { key: `${MARK}${mark}`, absent: true };
}

/** The mark of a change. */
export function markOf(command: KeyChange): string {
  for (const { key } of command.if ?? []) if (key?.startsWith(MARK)) return key.slice(MARK.length);
  throw new Error('a change without a mark');
}
