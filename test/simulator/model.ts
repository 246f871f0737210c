import type { KeyChange } from '../../src/wire/ops.ts';

/** A key as a read shows it. */
export interface Seen {
  readonly value: string | null;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
}

/** What a change came to. */
export interface Effect {
  readonly isDone: boolean;
  /** The revision afterwards. */
  readonly rev: number;
  readonly removed: number;
}

const ABSENT: Seen = { value: null, create: 0, mod: 0, version: 0 };

/**
 * The store as PROTOCOL describes it, written a second time and as plainly as can be, with all of its past: what the
 * real one is held against. It knows the changes that the simulated clients make: of single keys.
 */
export class Model {
  #rev = 0;
  readonly #versions = new Map<string, { readonly rev: number; readonly seen: Seen }[]>();

  get rev(): number {
    return this.#rev;
  }

  /** A key as of a revision. */
  at(key: string, rev: number): Seen {
    return this.#versions.get(key)?.findLast(version => version.rev <= rev)?.seen ?? ABSENT;
  }

  change(command: KeyChange): Effect {
    const { key = '' } = command;
    const now = this.at(key, this.#rev);
    for (const condition of command.if ?? []) {
      const subject = this.at(condition.key ?? key, this.#rev);
      const isMet =
        (condition.mod === undefined || condition.mod === subject.mod) &&
        (condition.value === undefined || condition.value === subject.value) &&
        (condition.absent === undefined || subject.value === null) &&
        (condition.exists === undefined || subject.value !== null);
      if (!isMet) return { isDone: false, rev: this.#rev, removed: 0 };
    }
    if (command.op === 'remove' && now.value === null) return { isDone: true, rev: this.#rev, removed: 0 };
    this.#rev += 1;
    const rev = this.#rev;
    if (command.op === 'remove') this.#keep(key, rev, ABSENT);
    else {
      const create = now.value === null ? rev : now.create;
      this.#keep(key, rev, { value: command.value, create, mod: rev, version: now.version + 1 });
    }
    return { isDone: true, rev, removed: command.op === 'remove' ? 1 : 0 };
  }

  #keep(key: string, rev: number, seen: Seen): void {
    const versions = this.#versions.get(key) ?? [];
    versions.push({ rev, seen });
    this.#versions.set(key, versions);
  }
}
