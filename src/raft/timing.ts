/** How long things take, in ticks. */
export interface Timing {
  /** Milliseconds of a tick; the core itself only counts. */
  readonly tick: number;
  /** From one round of heartbeats to the next. */
  readonly heartbeatTicks: number;
  /** Without a word from its leader for this long, a follower may vote for another; elections come after 1 to 2 of it. */
  readonly electionTicks: number;
}

/** Heartbeats every 100 ms, elections after 500 to 1,000 ms. */
export const DEFAULT_TIMING: Timing = { tick: 50, heartbeatTicks: 2, electionTicks: 10 };
