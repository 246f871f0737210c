/** Buckets to each doubling: a percentile is off by at most a sixty-fourth of its value, more or less. */
const STEPS = 32;
const LEAST = 0.001;

/** Counts of durations in milliseconds, in buckets that grow with the duration. */
export class Histogram {
  readonly #counts = new Uint32Array(STEPS * 28);
  #total = 0;

  add(milliseconds: number, count: number): void {
    const at = Math.floor(Math.log2(Math.max(milliseconds, LEAST) / LEAST) * STEPS);
    const bucket = Math.min(at, this.#counts.length - 1);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    this.#total += count;
  }

  get total(): number {
    return this.#total;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
  }

  /** The duration that this share of all did not exceed; 0 when there are none. */
  percentile(share: number): number {
    let left = Math.ceil(this.#total * share);
    for (const [bucket, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0 && this.#total > 0) return LEAST * 2 ** ((bucket + 0.5) / STEPS);
    }
    return 0;
  }
}
