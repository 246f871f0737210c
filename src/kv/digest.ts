import type { Entry } from './store.ts';

/**
 * A checksum of a set of keys with their entries that is kept up to date in the time that a change takes anyway:
 * the exclusive or of a 64-bit hash of each. It tells replicas that differ by a fault apart; it is no defence
 * against someone who looks for collisions.
 */
export class Digest {
  #high = 0;
  #low = 0;

  constructor(from?: Digest) {
    if (from === undefined) return;
    this.#high = from.#high;
    this.#low = from.#low;
  }

  /** Adds an entry, or takes out one that was added. */
  toggle(key: string, { value, create, mod, version }: Entry): void {
    const head = `${key.length} ${create} ${mod} ${version} ${key}`;
    this.#high ^= hash(value, hash(head, 0x9e3779b9));
    this.#low ^= hash(value, hash(head, 0x85ebca6b));
  }

  /** 16 hex digits. */
  toString(): string {
    return [this.#high, this.#low].map(half => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }
}

/** MurmurHash3's 32-bit mixing over the UTF-16 units of a text. */
function hash(text: string, seed: number): number {
  let h = seed | 0;
  for (let at = 0; at < text.length; at += 1) {
    let k = Math.imul(text.charCodeAt(at), 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, 0x1b873593);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  h ^= text.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
