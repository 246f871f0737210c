/** Bytes of memory that the connections of a server share, so that many small bounds have one large one. */
export class Budget {
  readonly #total: number;
  #taken = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** True when so many are left, which are then taken. */
  take(bytes: number): boolean {
    if (this.#taken + bytes > this.#total) return false;
    this.#taken += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#taken -= bytes;
  }
}
