import type { Entry, Position } from './entry.ts';

/** The first index of a run of entries of one term. */
interface Run {
  readonly first: number;
  readonly term: number;
}

/** Bytes of entries that are too few to be worth copying those behind them. */
const WORTH_FORGETTING = 262_144;

/**
 * The log as the core sees it: the term of every entry since the base (runs of one term, since terms are few),
 * and the entries themselves as far back as the cache goes; what is older is read from disk by whoever sends it.
 */
export class Log {
  /** The entry just before the first: what a snapshot stands for; 0 and 0 until there is one (§7). */
  #base: Position;
  readonly #runs: Run[] = [];
  #cache: Entry[] = [];
  #cacheBytes = 0;
  #last: Position;

  constructor(base: Position = { index: 0, term: 0 }, entries: readonly Entry[] = []) {
    this.#base = base;
    this.#last = base;
    this.append(entries);
  }

  get base(): Position {
    return this.#base;
  }

  /** The last entry, or the base when there is none. */
  get last(): Position {
    return this.#last;
  }

  /** The first index whose entry is in memory; one beyond the last when none is. */
  get firstCached(): number {
    return this.#cache[0]?.index ?? this.#last.index + 1;
  }

  get cachedBytes(): number {
    return this.#cacheBytes;
  }

  /** The term of an entry, or of the base; undefined outside. */
  termAt(index: number): number | undefined {
    if (index === this.#last.index) return this.#last.term;
    if (index === this.#base.index) return this.#base.term;
    if (index < this.#base.index || index > this.#last.index) return undefined;
    return this.#runs[this.#runOf(index)]?.term;
  }

  /** Adds entries, each at the index after the one before. */
  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index !== this.#last.index + 1) {
        throw new Error(
          `broken invariant: entry ${entry.index} cannot follow ${this.#last.index} in the log`,
        );
      }
      if (entry.term < this.#last.term) {
        throw new Error(`broken invariant: terms fall from ${this.#last.term} to ${entry.term} in the log`);
      }
      if (entry.term !== this.#runs.at(-1)?.term) this.#runs.push({ first: entry.index, term: entry.term });
      this.#cache.push(entry);
      this.#cacheBytes += entry.size;
      this.#last = entry;
    }
  }

  /** Removes the entry at this index and all that follow it. */
  truncate(from: number): void {
    if (from <= this.#base.index) throw new Error(`broken invariant: ${from} lies before the log's base`);
    if (from > this.#last.index) return;
    const term = this.termAt(from - 1) ?? this.#base.term;
    while ((this.#runs.at(-1)?.first ?? 0) >= from) this.#runs.pop();
    for (
      let entry = this.#cache.at(-1);
      entry !== undefined && entry.index >= from;
      entry = this.#cache.at(-1)
    ) {
      this.#cache.pop();
      this.#cacheBytes -= entry.size;
    }
    this.#last = { index: from - 1, term };
  }

  /** Forgets the entries up to one, for which a snapshot now stands; those after it stay (§7). */
  compact(index: number): void {
    if (index <= this.#base.index) return;
    const term = this.termAt(index);
    if (term === undefined) throw new Error(`broken invariant: ${index} lies beyond the end of the log`);
    const runs = this.#runs.findIndex(
      (_, at) => (this.#runs[at + 1]?.first ?? this.#last.index + 1) > index + 1,
    );
    this.#runs.splice(0, runs === -1 ? this.#runs.length : runs);
    const kept = this.#cache.findIndex(entry => entry.index > index);
    const gone = this.#cache.splice(0, kept === -1 ? this.#cache.length : kept);
    for (const { size } of gone) this.#cacheBytes -= size;
    this.#base = { index, term };
  }

  /** Begins anew behind a snapshot that what was here does not fit (§7). */
  restart(base: Position): void {
    this.#runs.length = 0;
    this.#cache = [];
    this.#cacheBytes = 0;
    this.#base = base;
    this.#last = base;
  }

  /** Entries of a range, at most `bytes` of them but one at least; none when the first is not in memory. */
  cached(from: number, to: number, bytes: number): Entry[] {
    const first = this.firstCached;
    const most = Math.min(to, this.#last.index) + 1 - first;
    if (from < first || from - first >= most) return [];
    let end = from - first;
    for (let size = 0; end < most; end += 1) {
      size += this.#cache[end]?.size ?? 0;
      if (size > bytes && end > from - first) break;
    }
    return this.#cache.slice(from - first, end);
  }

  /** Entries of a range that is in memory. */
  range(from: number, to: number): Entry[] {
    const first = this.firstCached;
    if (from < first)
      throw new Error(`broken invariant: entry ${from} is not in memory, whose first is ${first}`);
    return this.#cache.slice(from - first, to + 1 - first);
  }

  /** Forgets the entries up to an index, when they are many and no fewer than what stays, which is copied. */
  forget(through: number): void {
    const count = Math.min(through, this.#last.index) + 1 - this.firstCached;
    if (this.#cacheBytes < WORTH_FORGETTING || count < this.#cache.length - count) return;
    for (let at = 0; at < count; at += 1) this.#cacheBytes -= this.#cache[at]?.size ?? 0;
    this.#cache = this.#cache.slice(count);
  }

  /**
   * Forgets entries up to an index, oldest first, until the cache is within its bounds; their terms stay known. It
   * waits until there is a good deal to forget, since what stays is copied.
   */
  shrink(through: number, bytes: number): void {
    if (this.#cacheBytes < bytes * 1.25) return;
    let count = 0;
    for (let size = this.#cacheBytes; size > bytes; count += 1) {
      const entry = this.#cache[count];
      if (entry === undefined || entry.index > through) break;
      size -= entry.size;
      this.#cacheBytes = size;
    }
    if (count > 0) this.#cache = this.#cache.slice(count);
  }

  /**
   * The last index, no later than `index`, whose term is no later than `term`. Logs that agree anywhere agree no
   * later than there, so a leader and a follower that search in turn skip a whole term at each exchange (§5.3).
   */
  lastWithin(index: number, term: number): number {
    let at = Math.min(index, this.#last.index);
    while (at > this.#base.index && (this.termAt(at) ?? 0) > term) {
      at = (this.#runs[this.#runOf(at)]?.first ?? 1) - 1;
    }
    return Math.max(at, this.#base.index);
  }

  /** The place among the runs of the one that holds an index. */
  #runOf(index: number): number {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#runs[middle]?.first ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
