import { BTree, byPair, type Pair, type Tree } from './b-tree.ts';

/**
 * Milliseconds by which everything outlives its deadline: two nodes' clocks may run a little differently, and nothing
 * that was promised for a time may end before it because another node now leads.
 */
export const SLACK = 250;

/** Whether a deadline has passed at a time, beyond doubt. */
export function isDue(deadline: number, at: number): boolean {
  return deadline + SLACK <= at;
}

/** Numbered things in the order in which their time is up, in milliseconds of cluster time. */
export class Deadlines {
  readonly #tree: Tree<Pair, undefined>;

  /** None, or a copy in O(1) of others. */
  constructor(from?: Deadlines) {
    this.#tree = from === undefined ? new BTree<Pair, undefined>(undefined, byPair) : from.#tree.clone();
  }

  /** When the first is due, if there is any. */
  get next(): number | undefined {
    const first = this.#tree.minKey();
    return first === undefined ? undefined : first[0] + SLACK;
  }

  add(deadline: number, id: number): void {
    this.#tree.set([deadline, id], undefined);
  }

  delete(deadline: number, id: number): void {
    this.#tree.delete([deadline, id]);
  }

  /** What is due at a time, in order. */
  due(at: number): Pair[] {
    const due: Pair[] = [];
    for (const pair of this.#tree.keys()) {
      if (!isDue(pair[0], at)) break;
      due.push(pair);
    }
    return due;
  }
}
