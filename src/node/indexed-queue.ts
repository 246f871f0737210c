/** Places given up at the front before the array is cut: seldom enough to cost nothing, often enough to hold nothing. */
const MOST_GIVEN_UP = 4_096;

/**
 * A map from numbers that come one after the other, and go in nearly the same order. A `Map` under such a load makes
 * itself anew every so many changes, and each of its former selves keeps what it held alive until a full collection of
 * garbage: that was a third of the time of a busy leader.
 */
export class IndexedQueue<Item> {
  #items: (Item | undefined)[] = [];
  /** The place of the first item that may be there, and the number of the place 0. */
  #head = 0;
  #first = 0;

  get(index: number): Item | undefined {
    return this.#items[index - this.#first];
  }

  set(index: number, item: Item): void {
    if (this.#head === this.#items.length) this.#restart(index);
    const place = index - this.#first;
    if (place < this.#head) {
      this.#items = [...new Array<undefined>(Math.max(0, -place)), ...this.#items];
      this.#first = Math.min(this.#first, index);
      this.#head = index - this.#first;
    }
    while (this.#items.length < index - this.#first) this.#items.push(undefined);
    this.#items[index - this.#first] = item;
  }

  delete(index: number): void {
    const place = index - this.#first;
    if (place < this.#head || place >= this.#items.length) return;
    this.#items[place] = undefined;
    while (this.#head < this.#items.length && this.#items[this.#head] === undefined) this.#head += 1;
    if (this.#head === this.#items.length) this.#restart(this.#first + this.#head);
    else if (this.#head >= MOST_GIVEN_UP) {
      this.#items.splice(0, this.#head);
      this.#first += this.#head;
      this.#head = 0;
    }
  }

  /** The numbers and their items, in order; what is deleted meanwhile does not come. */
  *[Symbol.iterator](): Generator<[number, Item]> {
    const end = this.#first + this.#items.length;
    for (let index = this.#first + this.#head; index < end; index += 1) {
      const item = this.get(index);
      if (item !== undefined) yield [index, item];
    }
  }

  #restart(first: number): void {
    this.#items.length = 0;
    this.#head = 0;
    this.#first = first;
  }
}
