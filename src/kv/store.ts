import sortedBtree from 'sorted-btree';
import { KeyOrder } from '../wire/order.ts';
import { shortened } from '../wire/text.ts';
import { Digest, type Hash, hashOf } from './digest.ts';

/** The package is CommonJS, and its class is the `default` of what it exports. */
const BTree = sortedBtree.default;
type Tree = InstanceType<typeof BTree<string, Kept>>;

/** A key's value and its revisions: when it was created, when last modified, and how often since its creation. */
export interface Entry {
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  /** 1 on creation. */
  readonly version: number;
}

/** What the tree holds: an entry and its hash, so that it need not be read through again when it goes. */
interface Kept {
  readonly entry: Entry;
  readonly hash: Hash;
}

/**
 * The map that everything is about: keys in code point order, each with its revisions, under one revision for
 * the whole. A B-tree keeps the order, and its clone is O(1) because clones share what neither has changed.
 *
 * A change is made of `put` and `delete` calls and one `commit`, which is the step of the revision.
 */
export class Store {
  #order: KeyOrder;
  #tree: Tree;
  #digest: Digest;
  #rev: number;

  /** An empty store, or a copy in O(1) of another; each may change without the other. */
  constructor(from?: Store) {
    this.#order = from === undefined ? new KeyOrder() : from.#order;
    this.#tree =
      from === undefined ? new BTree<string, Kept>(undefined, this.#order.compare) : from.#tree.clone();
    this.#digest = new Digest(from === undefined ? undefined : from.#digest);
    this.#rev = from === undefined ? 0 : from.#rev;
  }

  /** The revision of the last change; 0 before the first. */
  get rev(): number {
    return this.#rev;
  }

  /** The number of keys. */
  get size(): number {
    return this.#tree.size;
  }

  get(key: string): Entry | undefined {
    return this.#tree.get(key)?.entry;
  }

  /** Keys and entries in order, from the first that is not before `from`. */
  *entries(from: string): Generator<[string, Entry]> {
    for (const [key, { entry }] of this.#tree.entries(from)) yield [key, entry];
  }

  /** Writes a key as a part of the change that `commit` will number. */
  put(key: string, value: string): Entry {
    const rev = this.#rev + 1;
    const old = this.#tree.get(key);
    const { create = rev, version = 0 } = old?.entry ?? {};
    const entry = { value, create, mod: rev, version: version + 1 };
    const hash = hashOf(key, entry);
    if (old === undefined) this.#order.admit(key);
    else this.#digest.toggle(old.hash);
    this.#tree.set(key, { entry, hash });
    this.#digest.toggle(hash);
    return entry;
  }

  /** Removes a key as a part of the change that `commit` will number; false when it is not there. */
  delete(key: string): boolean {
    const old = this.#tree.get(key);
    if (old === undefined) return false;
    this.#tree.delete(key);
    this.#digest.toggle(old.hash);
    return true;
  }

  /** Ends a change: everything put or deleted since the last call has the revision that this returns. */
  commit(): number {
    this.#rev += 1;
    return this.#rev;
  }

  /** Puts back a key as it was when an image of the store was made. */
  restore(key: string, entry: Entry): void {
    const hash = hashOf(key, entry);
    this.#order.admit(key);
    if (!this.#tree.set(key, { entry, hash })) throw new Error(`the key ${shortened(key)} is there already`);
    this.#digest.toggle(hash);
  }

  /** Puts back the revision, when all keys are. */
  restoreRev(rev: number): void {
    this.#rev = rev;
  }

  /** Becomes what another store is, for those who hold on to this one; the other is not to be used any more. */
  become(other: Store): void {
    this.#order = other.#order;
    this.#tree = other.#tree;
    this.#digest = other.#digest;
    this.#rev = other.#rev;
  }

  /** A checksum of everything in the store, its revision included; equal stores have equal ones. */
  get hash(): string {
    return `${this.#digest}-${this.#rev}`;
  }
}
