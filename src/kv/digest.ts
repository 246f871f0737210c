import type { Entry } from './store.ts';

/** A hash in two halves of 32 bits. */
export interface Hash {
  readonly high: number;
  readonly low: number;
}

/**
 * A checksum of a set of things, such as keys with their entries, that is kept up to date in the time that a change
 * takes anyway: the exclusive or of a 64-bit hash of each. It tells replicas that differ by a fault apart; it is no defence
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

  /** Adds an entry by its hash, or takes out one that was added. */
  toggle({ high, low }: Hash): void {
    this.#high ^= high;
    this.#low ^= low;
  }

  /** Adds what another digest holds. */
  add(other: Digest): void {
    this.toggle({ high: other.#high, low: other.#low });
  }

  /** 16 hex digits. */
  toString(): string {
    return [this.#high, this.#low].map(half => (half >>> 0).toString(16).padStart(8, '0')).join('');
  }
}

/** The hash of a key with its entry. */
export function hashOf(key: string, { value, create, mod, version, lease = 0 }: Entry): Hash {
  let high = 0x9e3779b9;
  let low = 0x85ebca6b;
  for (const number of [key.length, create, mod, version, lease]) {
    high = mixed(high ^ number);
    low = mixed(low ^ number ^ Math.floor(number / 2 ** 32));
  }
  // Both halves in one pass: the two texts are all that takes time here.
  for (let at = 0; at < key.length; at += 1) {
    const unit = key.charCodeAt(at);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low + unit, 0xcc9e2d51);
  }
  for (let at = 0; at < value.length; at += 1) {
    const unit = value.charCodeAt(at);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low + unit, 0xcc9e2d51);
  }
  return { high: mixed(high), low: mixed(low) };
}

/** The hash of a few numbers, none of them below 0. */
export function hashOfNumbers(...numbers: readonly number[]): Hash {
  let high = 0x9e3779b9 ^ numbers.length;
  let low = 0x85ebca6b;
  for (const number of numbers) {
    high = mixed(high ^ number);
    low = mixed(low ^ number ^ Math.floor(number / 2 ** 32));
  }
  return { high, low };
}

/** The hash of a text. */
export function hashOfText(text: string): Hash {
  let high = 0x9e3779b9 ^ text.length;
  let low = 0x85ebca6b;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low + unit, 0xcc9e2d51);
  }
  return { high: mixed(high), low: mixed(low) };
}

/** The hash of two hashes, in their order. */
export function hashOfBoth(first: Hash, second: Hash): Hash {
  return {
    high: mixed(Math.imul(first.high, 31) ^ second.high),
    low: mixed(Math.imul(first.low, 31) ^ second.low),
  };
}

/** The finish of MurmurHash3: every bit of what comes in reaches every bit of what goes out. */
function mixed(bits: number): number {
  let h = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
