import type { KeyOrder } from '../wire/order.ts';
import { BTree, type Tree } from './b-tree.ts';
import { Deadlines } from './deadlines.ts';
import { Digest, hashOfNumbers } from './digest.ts';

/** A promise that keys stay for a time after it was last renewed. */
export interface Lease {
  readonly id: number;
  /** Seconds. */
  readonly ttl: number;
  /** In milliseconds of cluster time. */
  readonly deadline: number;
  /** How many keys are attached to it. */
  readonly keys: number;
}

type Attachment = readonly [lease: number, key: string];

/**
 * The leases, and which keys end with which. It knows no clock: its time is what the entries of the log say it is, so
 * that a lease ends at the same entry on every node.
 */
export class Leases {
  readonly #leases: Tree<number, Lease>;
  readonly #attachments: Tree<Attachment, undefined>;
  readonly #deadlines: Deadlines;
  readonly #digest: Digest;
  #last: number;

  /** None, or a copy in O(1) of others; `order` is that of the keys. */
  constructor(order: KeyOrder, from?: Leases) {
    const compare = (a: Attachment, b: Attachment) => a[0] - b[0] || order.compare(a[1], b[1]);
    this.#leases = from === undefined ? new BTree<number, Lease>() : from.#leases.clone();
    this.#attachments =
      from === undefined ? new BTree<Attachment, undefined>(undefined, compare) : from.#attachments.clone();
    this.#deadlines = new Deadlines(from === undefined ? undefined : from.#deadlines);
    this.#digest = new Digest(from === undefined ? undefined : from.#digest);
    this.#last = from === undefined ? 0 : from.#last;
  }

  get size(): number {
    return this.#leases.size;
  }

  /** The last number that was given to a lease; none is given twice. */
  get last(): number {
    return this.#last;
  }

  /** When the first lease is due, in milliseconds of cluster time. */
  get nextDue(): number | undefined {
    return this.#deadlines.next;
  }

  get digest(): Digest {
    return this.#digest;
  }

  get(id: number): Lease | undefined {
    return this.#leases.get(id);
  }

  /** Leases in the order of their numbers, from the first that is not before `from`. */
  *entries(from: number): Generator<Lease> {
    for (const [, lease] of this.#leases.entries(from)) yield lease;
  }

  grant(ttl: number, now: number): Lease {
    this.#last += 1;
    return this.#put({ id: this.#last, ttl, deadline: now + ttl * 1_000, keys: 0 });
  }

  /** Begins a lease's time anew; undefined when there is no such lease. */
  renew(id: number, now: number): Lease | undefined {
    const lease = this.#leases.get(id);
    if (lease === undefined) return undefined;
    this.#take(lease);
    return this.#put({ ...lease, deadline: now + lease.ttl * 1_000 });
  }

  /** Forgets a lease. Its keys go first, by way of the store. */
  end(id: number): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    if (lease.keys > 0) throw new Error(`broken invariant: lease ${id} ends before its ${lease.keys} keys`);
    this.#take(lease);
    this.#leases.delete(id);
  }

  /** The leases whose time is up, in the order in which it was. */
  due(at: number): number[] {
    return this.#deadlines.due(at).map(([, id]) => id);
  }

  /** The keys of a lease, in order. */
  keysOf(id: number): string[] {
    const keys: string[] = [];
    for (const [[lease, key]] of this.#attachments.entries([id, ''])) {
      if (lease !== id) break;
      keys.push(key);
    }
    return keys;
  }

  attach(id: number, key: string): void {
    this.#attachments.set([id, key], undefined);
    this.#count(id, 1);
  }

  detach(id: number, key: string): void {
    this.#attachments.delete([id, key]);
    this.#count(id, -1);
  }

  #count(id: number, change: number): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) throw new Error(`broken invariant: a key of lease ${id}, which is not there`);
    // The hash of a lease leaves out how many keys it has: each of them says itself to which lease it belongs.
    this.#leases.set(id, { ...lease, keys: lease.keys + change });
  }

  /** Puts back a lease as it was when an image was made, before its keys. */
  restore(id: number, ttl: number, deadline: number): void {
    if (this.#leases.has(id)) throw new Error(`lease ${id} is there already`);
    this.#put({ id, ttl, deadline, keys: 0 });
  }

  /** Puts back the last number. */
  restoreLast(last: number): void {
    this.#last = last;
  }

  #put(lease: Lease): Lease {
    this.#leases.set(lease.id, lease);
    this.#deadlines.add(lease.deadline, lease.id);
    this.#digest.toggle(hashOfNumbers(lease.id, lease.ttl, lease.deadline));
    return lease;
  }

  #take({ id, ttl, deadline }: Lease): void {
    this.#deadlines.delete(deadline, id);
    this.#digest.toggle(hashOfNumbers(id, ttl, deadline));
  }
}
