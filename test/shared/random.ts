/** Dice with a seed: the same seed gives the same throws, on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to, not including, 1 (the generator is mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from 0 up to, not including, `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    if (items.length === 0) throw new Error('nothing to pick from');
    return items[this.below(items.length)] as T;
  }

  /** A string of up to `most` code points from an alphabet. */
  text(alphabet: readonly string[], most: number): string {
    return Array.from({ length: this.below(most + 1) }, () => this.pick(alphabet)).join('');
  }
}

/**
 * Runs a test on dice of a fresh seed, or of the one in `SEED`; a failure names the seed that repeats it.
 */
export async function withSeed(test: (random: Random) => void | Promise<void>): Promise<void> {
  const seed =
    process.env.SEED === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(process.env.SEED);
  try {
    await test(new Random(seed));
  } catch (error) {
    if (error instanceof Error) error.message = `${error.message} (repeat it with SEED=${seed})`;
    throw error;
  }
}
