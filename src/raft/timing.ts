/** How long things take, in ticks; the host says how long a tick is. */
export interface Timing {
  /** From one round of heartbeats to the next. */
  readonly heartbeatTicks: number;
  /** Without a word from its leader for this long, a follower may vote for another; elections come after 1 to 2 of it. */
  readonly electionTicks: number;
}

/** With a tick of 50 ms: heartbeats every 100 ms, elections after 500 to 1,000 ms. */
export const DEFAULT_TIMING: Timing = { heartbeatTicks: 2, electionTicks: 10 };
