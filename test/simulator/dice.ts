/** Everything that chance decides in a simulated world, from one seed: the same seed throws the same, everywhere. */
export class Dice {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = 0x2545f491;
    for (let round = 0; round < 15; round += 1) this.#throw();
  }

  /** Dice for a part of the world, so that what one part throws does not move what the others get. */
  fork(): Dice {
    return new Dice((this.#throw() >>> 0) * 2 ** 20 + (this.#throw() & 0xfffff));
  }

  /** From 0 up to, not including, 1. */
  next(): number {
    return (this.#throw() >>> 0) / 2 ** 32;
  }

  /** An integer from 0 up to, not including, `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** An integer from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** An integer of this mean; most are small, and now and then one is several times as large. */
  around(mean: number): number {
    return Math.floor(-Math.log(1 - this.next()) * mean);
  }

  /** True with this probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  /** The same items in another order. */
  shuffled<T>(items: readonly T[]): T[] {
    return items
      .map(item => ({ item, rank: this.next() }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ item }) => item);
  }

  /** The generator is sfc32, which passes PractRand and needs no more than additions and shifts. */
  #throw(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum;
  }
}
