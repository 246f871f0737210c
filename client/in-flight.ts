import type { Call } from './call.ts';

/** Places given up at the front before they are cut off: seldom enough to cost nothing, often enough to hold nothing. */
const MOST_GIVEN_UP = 1_024;
/** Places in the row, however few of them are taken. */
const MOST_PLACES = 16_384;

/**
 * The calls that wait for their replies on one connection, by the ids of their attempts. Ids come one after the other,
 * and most go in that order too, so each has its place in a row. A `Map` under such a load makes itself anew all the
 * time, and each of its former selves keeps what it held alive until a full collection of garbage: that was a quarter
 * of the time of a busy client.
 */
export class InFlight {
  #row: (Call | undefined)[] = [];
  /** The id of the first place, and the first place that may be taken. */
  #first = 0;
  #head = 0;
  #inRow = 0;
  /** The few others: the client's own requests, whose ids run backwards, and calls that very many have overtaken. */
  readonly #others = new Map<number, Call>();

  get size(): number {
    return this.#inRow + this.#others.size;
  }

  get(id: number): Call | undefined {
    return this.#row[id - this.#first] ?? this.#others.get(id);
  }

  /** Takes in a call. Ids of 1 and more only ever grow. */
  set(id: number, call: Call): void {
    if (id < 1) {
      this.#others.set(id, call);
      return;
    }
    if (id - this.#first >= MOST_PLACES) this.#cut(this.#row.length);
    else if (this.#head >= MOST_GIVEN_UP) this.#cut(this.#head);
    if (this.#inRow === 0) this.#begin(id);
    while (this.#row.length < id - this.#first) this.#row.push(undefined);
    this.#row.push(call);
    this.#inRow += 1;
  }

  delete(id: number): void {
    const place = id - this.#first;
    if (this.#row[place] === undefined) {
      this.#others.delete(id);
      return;
    }
    this.#row[place] = undefined;
    this.#inRow -= 1;
    while (this.#head < this.#row.length && this.#row[this.#head] === undefined) this.#head += 1;
  }

  clear(): void {
    this.#begin(0);
    this.#inRow = 0;
    this.#others.clear();
  }

  /** The ids and their calls; what is deleted meanwhile does not come. */
  *[Symbol.iterator](): Generator<[number, Call], void, void> {
    const end = this.#first + this.#row.length;
    for (let id = this.#first + this.#head; id < end; id += 1) {
      const call = this.#row[id - this.#first];
      if (call !== undefined) yield [id, call];
    }
    yield* this.#others;
  }

  *values(): Generator<Call, void, void> {
    for (const [, call] of this) yield call;
  }

  #begin(first: number): void {
    this.#row.length = 0;
    this.#first = first;
    this.#head = 0;
  }

  /** Cuts off places at the front; whoever is still there is one of the others from now on. */
  #cut(places: number): void {
    for (const call of this.#row.splice(0, places)) {
      if (call !== undefined) {
        this.#others.set(this.#first, call);
        this.#inRow -= 1;
      }
      this.#first += 1;
    }
    this.#head = Math.max(0, this.#head - places);
  }
}
