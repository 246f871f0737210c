/** Milliseconds between two words. */
const EVERY = 250;

/**
 * How far something has come, on standard error: one line that is written over where that is a terminal, lines where it
 * was asked for, and nothing otherwise.
 */
export class Progress {
  readonly #isTerminal = process.stderr.isTTY === true;
  readonly #isWanted: boolean;
  #lastAt = performance.now();
  #hasSpoken = false;

  constructor(isWanted: boolean) {
    this.#isWanted = isWanted || this.#isTerminal;
  }

  /** Says it, if it is time to. */
  tell(words: () => string): void {
    const now = performance.now();
    if (!this.#isWanted || now - this.#lastAt < EVERY) return;
    this.#lastAt = now;
    this.#hasSpoken = true;
    process.stderr.write(this.#isTerminal ? `\r\u001b[K${words()}` : `${words()}\n`);
  }

  /** Clears the line away. */
  end(): void {
    if (this.#isTerminal && this.#hasSpoken) process.stderr.write('\r\u001b[K');
    this.#hasSpoken = false;
  }
}

/** For the verbs that have it. */
export const PROGRESS_FLAG = {
  progress: { type: 'boolean', about: 'say how far it is, although standard error is no terminal' },
} as const;
