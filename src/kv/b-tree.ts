// biome-ignore lint/style/noRestrictedImports: what it reads is code, as an import does
import { createRequire } from 'node:module';

/**
 * The package is CommonJS, and its class is the `default` of what it exports. It is required, since an import would
 * first read through its 74 kB for the names of exports, some 15 ms of a start.
 */
export const { default: BTree } = createRequire(import.meta.url)(
  'sorted-btree',
) as typeof import('sorted-btree');

/** Keys in order with their values. A clone is O(1), because clones share what neither has changed. */
export type Tree<Key, Value> = InstanceType<typeof BTree<Key, Value>>;

/** A key in two parts, ordered by the first and then by the second. */
export type Pair = readonly [number, number];

export function byPair(a: Pair, b: Pair): number {
  return a[0] - b[0] || a[1] - b[1];
}
