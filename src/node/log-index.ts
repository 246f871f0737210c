/** Bytes of a segment between two marks: what is read in vain before an entry is found, at most. */
const EVERY = 65_536;

/** Where an entry stands on the disk. */
interface Mark {
  readonly index: number;
  /** The first index of its segment, which names it. */
  readonly segment: number;
  readonly offset: number;
  /** Whether the log goes on here from somewhere else: in a new segment, or over entries that were replaced. */
  readonly isJump: boolean;
}

/** Entries from `index` on that stand one after the other, from an offset of a segment up to before `until`. */
export interface Run {
  readonly segment: number;
  readonly offset: number;
  readonly index: number;
  readonly until: number;
}

/** Finds entries on the disk, by a mark each so many bytes: a number for each entry would outweigh small entries. */
export class LogIndex {
  #marks: Mark[] = [];
  #last = 0;

  /** Notes where an entry was written. What stood at its index and after is replaced. */
  note(index: number, segment: number, offset: number): void {
    const latest = this.#marks.at(-1);
    const isJump = latest === undefined || index <= this.#last || segment !== latest.segment;
    this.#last = index;
    if (!isJump && offset - latest.offset < EVERY) return;
    while ((this.#marks.at(-1)?.index ?? 0) >= index) this.#marks.pop();
    this.#marks.push({ index, segment, offset, isJump });
  }

  /** The run that holds an entry, from the last mark before it; undefined for what was never noted. */
  find(index: number): Run | undefined {
    let low = 0;
    let high = this.#marks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#marks[middle]?.index ?? 0) <= index) low = middle + 1;
      else high = middle;
    }
    const mark = this.#marks[low - 1];
    if (mark === undefined) return undefined;
    while (low < this.#marks.length && this.#marks[low]?.isJump === false) low += 1;
    const until = this.#marks[low]?.index ?? Number.POSITIVE_INFINITY;
    return { segment: mark.segment, offset: mark.offset, index: mark.index, until };
  }

  /** Forgets everything: the log begins anew. */
  clear(): void {
    this.#marks = [];
    this.#last = 0;
  }

  /** Forgets the segments before one. */
  dropBefore(segment: number): void {
    this.#marks = this.#marks.filter(mark => mark.segment >= segment);
  }
}
