/** Milliseconds that a client which is closed gives the cluster to take back its leases. */
const FAREWELL = 1_000;

/** Leases, caches and the like, which end with their client. */
export class Kept {
  readonly #ends = new Set<() => Promise<void>>();

  /** Keeps what is ended by this; what it gives back lets go of it unended. */
  add(end: () => Promise<void>): () => void {
    this.#ends.add(end);
    return () => this.#ends.delete(end);
  }

  /** Ends all; what the cluster does not take back in time ends by itself. */
  async end(): Promise<void> {
    if (this.#ends.size === 0) return;
    const ends = Promise.allSettled([...this.#ends].map(end => end()));
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>(resolve => {
      timer = setTimeout(resolve, FAREWELL);
    });
    await Promise.race([ends, patience]);
    clearTimeout(timer);
  }
}
