/** Something that happens at a time; without `run` it was called off. */
export interface Happening {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

/**
 * Simulated time, in microseconds, and all that is going to happen in it. What happens at the same microsecond
 * happens in the order in which it was scheduled, so there is one history.
 */
export class Timeline {
  #now = 0;
  #order = 0;
  /** A binary heap: the parent of the item at n is at (n - 1) / 2, and never later than it. */
  readonly #heap: Happening[] = [];

  get now(): number {
    return this.#now;
  }

  /** Has something happen after a delay. */
  after(delay: number, run: () => void): Happening {
    const happening = { at: this.#now + Math.max(0, Math.round(delay)), order: this.#order, run };
    this.#order += 1;
    this.#heap.push(happening);
    this.#rise(happening);
    return happening;
  }

  /** Lets the next thing happen; false when nothing is left, or it is later than `until`, which it then is. */
  step(until: number): boolean {
    const first = this.#heap[0];
    if (first === undefined || first.at > until) {
      this.#now = until;
      return false;
    }
    const last = this.#heap.pop();
    if (last !== undefined && last !== first) this.#sink(last);
    if (first.run === undefined) return true;
    this.#now = first.at;
    first.run();
    return true;
  }

  #rise(happening: Happening): void {
    const heap = this.#heap;
    let at = heap.length - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (parent === undefined || !isBefore(happening, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = happening;
  }

  /** Puts an item in the place of the first, and then where it belongs. */
  #sink(happening: Happening): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      let down = left;
      let child = heap[left];
      const other = heap[right];
      if (child === undefined) break;
      if (other !== undefined && isBefore(other, child)) {
        child = other;
        down = right;
      }
      if (!isBefore(child, happening)) break;
      heap[at] = child;
      at = down;
    }
    heap[at] = happening;
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
