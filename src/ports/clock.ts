/** Something that is to run later. */
export interface Timer {
  stop(): void;
}

/** Time, and when to run what: the host's only source of either. */
export interface Clock {
  /** Milliseconds on a clock that never jumps; only differences mean anything. */
  now(): number;
  /** Runs something once, when everything that has arrived meanwhile has been taken in. */
  soon(run: () => void): void;
  /** Runs something once after so many milliseconds, unless it is stopped before. */
  after(milliseconds: number, run: () => void): Timer;
  /** Runs something about every so many milliseconds, until it is stopped. */
  every(milliseconds: number, run: () => void): Timer;
}
