import { Store } from './store.ts';

/**
 * A whole state as JSON values, each to stand on a line of its own, and each no larger than the request that brought
 * what it holds. It is made one by one, so that whoever writes it can stop between any two for others to have their
 * turn; give it a copy, then, that nobody changes meanwhile (a `Store` copies itself in O(1)).
 *
 * The first says what the others come to: `{rev, keys, hash}`. Then each key: `[key, value, create, mod, version]`.
 */
export function* imageOf(store: Store): Generator<unknown> {
  yield { rev: store.rev, keys: store.size, hash: store.hash };
  for (const [key, { value, create, mod, version }] of store.entries('')) {
    yield [key, value, create, mod, version];
  }
}

/** Builds a state from its image. Throws where the values are no image; what is wrong with one value shows at once. */
export class ImageReader {
  readonly #store = new Store();
  #head: { readonly rev: number; readonly keys: number; readonly hash: string } | undefined;

  take(record: unknown): void {
    if (this.#head === undefined) this.#head = headOf(record);
    else if (Array.isArray(record)) this.#takeKey(record);
    else throw new Error('this record is no part of a state');
  }

  #takeKey(record: readonly unknown[]): void {
    const [key, value, create, mod, version] = record;
    const isKey = typeof key === 'string' && typeof value === 'string';
    if (!isKey || !isCount(create) || !isCount(mod) || !isCount(version) || record.length !== 5) {
      throw new Error('this record is not a key with its value and its revisions');
    }
    this.#store.restore(key, { value, create, mod, version });
  }

  /** The state, once its last record was taken. */
  finish(): Store {
    if (this.#head === undefined) throw new Error('there is no record');
    const { rev, keys, hash } = this.#head;
    this.#store.restoreRev(rev);
    if (this.#store.size !== keys) throw new Error(`it holds ${this.#store.size} keys, and should ${keys}`);
    if (this.#store.hash !== hash) throw new Error(`its hash is ${this.#store.hash}, and should be ${hash}`);
    return this.#store;
  }
}

function headOf(record: unknown): { readonly rev: number; readonly keys: number; readonly hash: string } {
  const { rev, keys, hash } = (record ?? {}) as Record<string, unknown>;
  if (!isCount(rev) || !isCount(keys) || typeof hash !== 'string') {
    throw new Error('this record does not tell the revision, the number of keys and the hash');
  }
  return { rev, keys, hash };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
