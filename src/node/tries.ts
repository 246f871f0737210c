import type { NodeAddress } from '../wire/address.ts';

/**
 * Milliseconds until the first try after a break; each further wait is twice as long, up to the longest. They count from
 * the beginning of the try before: one that nobody has answered has waited long enough.
 */
export const FIRST_WAIT = 25;
export const LONGEST_WAIT = 1_000;

/** When to try again to reach a node: after waits that grow, and are random, until it answers. */
export class Tries {
  readonly #peer: NodeAddress;
  readonly #begin: () => void;
  #wait = FIRST_WAIT;
  #beganAt = performance.now();
  #retry: NodeJS.Timeout | undefined;
  #refusal = '';

  constructor(peer: NodeAddress, begin: () => void) {
    this.#peer = peer;
    this.#begin = begin;
  }

  again(): void {
    const gone = performance.now() - this.#beganAt;
    const wait = Math.max(FIRST_WAIT, this.#wait - gone) * (0.5 + Math.random());
    this.#retry = setTimeout(() => {
      this.#beganAt = performance.now();
      this.#begin();
    }, wait).unref();
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
  }

  succeeded(): void {
    this.#wait = FIRST_WAIT;
    this.#refusal = '';
  }

  /** A refusal will not mend itself soon: it is said once, and the next tries come slowly. */
  refused(reason: string): void {
    if (reason !== this.#refusal) {
      const { id, address } = this.#peer;
      process.stderr.write(`raftline: ${id} at ${address} refuses this node: ${reason}\n`);
    }
    this.#refusal = reason;
    this.#wait = LONGEST_WAIT;
  }

  stop(): void {
    clearTimeout(this.#retry);
  }
}
