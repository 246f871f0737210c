import { KeyOrder } from '../wire/order.ts';
import { shortened } from '../wire/text.ts';
import { BTree, type Tree } from './b-tree.ts';
import { Digest, type Hash, hashOf, hashOfNumbers } from './digest.ts';
import { DEFAULT_HISTORY, History, type HistoryBounds, type KeyEvent, type Revision } from './history.ts';
import { Leases } from './leases.ts';
import { Sessions } from './sessions.ts';

/** A key's value and its revisions: when it was created, when last modified, and how often since its creation. */
export interface Entry {
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  /** 1 on creation. */
  readonly version: number;
  /** The lease that it ends with, if any. */
  readonly lease?: number;
}

/** What the tree holds: an entry and its hash, so that it need not be read through again when it goes. */
interface Kept extends Hash {
  readonly entry: Entry;
}

/** What one step of a change did to a key, so that it can be told and taken back. */
interface Step extends KeyEvent {
  readonly before: Kept | undefined;
}

/**
 * The state that everything is about: keys in code point order, each with its revisions, under one revision for the
 * whole; the leases that some of them end with; the sessions of clients; and the time, which moves only when an entry
 * of the log says so. All are trees whose clone is O(1), because clones share what neither has changed.
 *
 * A change is made of `put` and `delete` calls and one `commit`, which is the step of the revision, or one `rollback`,
 * after which nothing has been.
 */
export class Store {
  #order: KeyOrder;
  #tree: Tree<string, Kept>;
  #digest: Digest;
  #leases: Leases;
  #sessions: Sessions;
  #history: History;
  #rev: number;
  #time: number;
  /** What was put and deleted since the last `commit`. */
  #steps: Step[] = [];

  /** An empty store, or a copy in O(1) of another; each may change without the other. */
  constructor(
    from?: Store,
    history: HistoryBounds = from === undefined ? DEFAULT_HISTORY : from.history.bounds,
  ) {
    this.#order = from === undefined ? new KeyOrder() : from.#order;
    this.#tree =
      from === undefined ? new BTree<string, Kept>(undefined, this.#order.compare) : from.#tree.clone();
    this.#digest = new Digest(from === undefined ? undefined : from.#digest);
    this.#leases = new Leases(this.#order, from === undefined ? undefined : from.#leases);
    this.#sessions = new Sessions(from === undefined ? undefined : from.#sessions);
    this.#history = new History(history, from === undefined ? undefined : from.#history);
    this.#rev = from === undefined ? 0 : from.#rev;
    this.#time = from === undefined ? 0 : from.#time;
  }

  /** The revision of the last change; 0 before the first. */
  get rev(): number {
    return this.#rev;
  }

  /** The number of keys. */
  get size(): number {
    return this.#tree.size;
  }

  get leases(): Leases {
    return this.#leases;
  }

  get sessions(): Sessions {
    return this.#sessions;
  }

  get history(): History {
    return this.#history;
  }

  /** Milliseconds of cluster time: what the last entry said that told it. */
  get time(): number {
    return this.#time;
  }

  /** Lets the time go on; it never goes back. */
  advance(at: number): void {
    if (at > this.#time) this.#time = at;
  }

  get(key: string): Entry | undefined {
    return this.#tree.get(key)?.entry;
  }

  /** Keys and entries in order, from the first that is not before `from`. */
  *entries(from: string): Generator<[string, Entry]> {
    for (const [key, { entry }] of this.#tree.entries(from)) yield [key, entry];
  }

  /** The revision that the change under way will be, if it changes anything. */
  get next(): number {
    return this.#rev + 1;
  }

  /** True when something was put or deleted since the last `commit` or `rollback`. */
  get hasChanged(): boolean {
    return this.#steps.length > 0;
  }

  /** Writes a key as a part of the change that `commit` will number, to end with a lease or with none. */
  put(key: string, value: string, lease?: number): Entry {
    const rev = this.next;
    let before: Kept | undefined;
    let after: Kept | undefined;
    // Most changes are to keys that are there: to find one and to replace what it has is one search of the tree.
    this.#tree.editRange(key, key, true, (_key, found) => {
      const { create, version } = found.entry;
      before = found;
      after = keptOf(key, newEntry(value, create, rev, version + 1, lease));
      return { value: after };
    });
    if (after === undefined) {
      after = keptOf(key, newEntry(value, rev, rev, 1, lease));
      this.#order.admit(key);
      this.#tree.set(key, after);
    }
    this.#account(key, before, after);
    this.#note({ key, entry: after.entry, prev: before?.entry, before });
    return after.entry;
  }

  /** Removes a key as a part of the change that `commit` will number; false when it is not there. */
  delete(key: string): boolean {
    const before = this.#tree.get(key);
    if (before === undefined) return false;
    this.#place(key, before, undefined);
    this.#note({ key, entry: undefined, prev: before.entry, before });
    return true;
  }

  /** Most changes are of one step, and a list of just one takes least. */
  #note(step: Step): void {
    if (this.#steps.length === 0) this.#steps = [step];
    else this.#steps.push(step);
  }

  /** Puts one thing in the place of another. */
  #place(key: string, before: Kept | undefined, after: Kept | undefined): void {
    if (after === undefined) this.#tree.delete(key);
    else this.#tree.set(key, after);
    this.#account(key, before, after);
  }

  /** Keeps the digest and the leases in step with what the tree has at a key. */
  #account(key: string, before: Kept | undefined, after: Kept | undefined): void {
    if (before !== undefined) {
      this.#digest.toggle(before);
      if (before.entry.lease !== undefined) this.#leases.detach(before.entry.lease, key);
    }
    if (after !== undefined) {
      this.#digest.toggle(after);
      if (after.entry.lease !== undefined) this.#leases.attach(after.entry.lease, key);
    }
  }

  /** Ends a change: everything put or deleted since the last call has the revision that this returns. */
  commit(): number {
    this.#rev += 1;
    this.#history.add(eventsOf(this.#steps));
    this.#steps = [];
    return this.#rev;
  }

  /** Takes back everything put or deleted since the last `commit`. */
  rollback(): void {
    for (const { key, before } of this.#steps.reverse()) this.#place(key, this.#tree.get(key), before);
    this.#steps = [];
  }

  /** Puts back a key as it was when an image of the store was made. */
  restore(key: string, entry: Entry): void {
    const kept = keptOf(key, entry);
    this.#order.admit(key);
    if (!this.#tree.set(key, kept)) throw new Error(`the key ${shortened(key)} is there already`);
    this.#digest.toggle(kept);
    if (entry.lease !== undefined) this.#leases.attach(entry.lease, key);
  }

  /** Puts back the revision and the time, when all else is. */
  restoreRev(rev: number, time: number): void {
    this.#rev = rev;
    this.#time = time;
  }

  /** Becomes what another store is, for those who hold on to this one; the other is not to be used any more. */
  become(other: Store): void {
    this.#order = other.#order;
    this.#tree = other.#tree;
    this.#digest = other.#digest;
    this.#leases = other.#leases;
    this.#sessions = other.#sessions;
    other.#history.limit(this.#history.bounds);
    this.#history = other.#history;
    this.#rev = other.#rev;
    this.#time = other.#time;
  }

  /** A checksum of everything that the store answers from, its revision included; equal stores have equal ones. */
  get hash(): string {
    const whole = new Digest(this.#digest);
    whole.add(this.#leases.digest);
    whole.add(this.#sessions.digest);
    whole.toggle(hashOfNumbers(this.#time, this.#leases.last, this.#sessions.last));
    return `${whole}-${this.#rev}`;
  }
}

/**
 * An entry. The order of its fields is a part of the state: answers hold entries, sessions hold answers, and the hash
 * of an answer is that of its text.
 */
export function newEntry(
  value: string,
  create: number,
  mod: number,
  version: number,
  lease: number | undefined,
): Entry {
  if (lease === undefined) return { value, create, mod, version };
  return { value, create, mod, version, lease };
}

function keptOf(key: string, entry: Entry): Kept {
  const { high, low } = hashOf(key, entry);
  return { entry, high, low };
}

/**
 * What steps come to, key by key: somebody who watches is told what a revision made of a key, not how. A key that was
 * set and removed again is told of as well, though it is absent as before: its revision was given, and stands.
 */
function eventsOf(steps: readonly Step[]): Revision {
  if (steps.length === 1) return steps.map(({ key, entry, prev }) => ({ key, entry, prev }));
  const events = new Map<string, KeyEvent>();
  for (const { key, entry, prev } of steps) {
    const first = events.get(key);
    events.set(key, { key, entry, prev: first === undefined ? prev : first.prev });
  }
  return [...events.values()];
}
