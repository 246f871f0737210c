import sortedBtree from 'sorted-btree';

/** The package is CommonJS, and its class is the `default` of what it exports. */
export const BTree = sortedBtree.default;

/** Keys in order with their values. A clone is O(1), because clones share what neither has changed. */
export type Tree<Key, Value> = InstanceType<typeof BTree<Key, Value>>;

/** A key in two parts, ordered by the first and then by the second. */
export type Pair = readonly [number, number];

export function byPair(a: Pair, b: Pair): number {
  return a[0] - b[0] || a[1] - b[1];
}
