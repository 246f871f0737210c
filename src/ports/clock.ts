/** Time, and when to run what: the host's only source of either. */
export interface Clock {
  /** Milliseconds on a clock that never jumps; only differences mean anything. */
  now(): number;
  /** Runs something once, when everything that has arrived meanwhile has been taken in. */
  soon(run: () => void): void;
  /** Runs something about every so many milliseconds, until `stop`. */
  every(milliseconds: number, run: () => void): { stop(): void };
}
