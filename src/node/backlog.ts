/** A client that may leave its replies untaken. */
export interface Taker {
  /** Ends the connection, and with it what waits there. */
  cutOff(): void;
}

/**
 * The replies that clients have not taken, over all connections of a server. When they are too many, the client
 * that has left some for the longest time is cut off: whoever takes theirs is never the one to pay.
 */
export class Backlog {
  readonly #most: number;
  #total = 0;
  /** Characters that wait for each client, in the order in which they began to wait. */
  readonly #waiting = new Map<Taker, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Takes note of how many characters a client has left untaken. */
  count(taker: Taker, untaken: number): void {
    this.#total += untaken - (this.#waiting.get(taker) ?? 0);
    if (untaken > 0) this.#waiting.set(taker, untaken);
    else this.#waiting.delete(taker);
    for (const [longest] of this.#waiting) {
      if (this.#total <= this.#most) return;
      this.count(longest, 0);
      longest.cutOff();
    }
  }
}
