import type { Call, Flag } from '../client/cli/verb.ts';
import { DEFAULT_TIMING, type Timing } from '../src/raft/timing.ts';
import { refuse } from '../src/wire/errors.ts';

const { tick, heartbeatTicks, electionTicks } = DEFAULT_TIMING;

/** How fast a cluster's clock goes; the same at every node. In milliseconds. */
export const TIMING_FLAGS: Readonly<Record<string, Flag>> = {
  tick: { type: 'integer', value: 'MS', about: `milliseconds of a tick, from stage 5 (${tick})`, least: 1 },
  heartbeat: {
    type: 'integer',
    value: 'MS',
    about: `from one heartbeat to the next (${heartbeatTicks * tick})`,
    least: 1,
  },
  'election-timeout': {
    type: 'integer',
    value: 'MS',
    about: `silence of the leader before an election, which comes after 1 to 2 of it (${electionTicks * tick})`,
    least: 1,
  },
};

/** The timing that the flags ask for, or undefined where they say nothing. */
export function readTiming({ flags }: Call): Timing | undefined {
  const names = Object.keys(TIMING_FLAGS).filter(name => flags[name] !== undefined);
  if (names.length === 0) return undefined;
  const length = Number(flags.tick ?? tick);
  const ticks = (name: string, usual: number) =>
    Math.max(1, Math.round(Number(flags[name] ?? usual * tick) / length));
  const timing = {
    tick: length,
    heartbeatTicks: ticks('heartbeat', heartbeatTicks),
    electionTicks: ticks('election-timeout', electionTicks),
  };
  if (timing.electionTicks < timing.heartbeatTicks * 2) {
    const words = 'or every lost heartbeat would bring an election';
    refuse('BAD_REQUEST', `--election-timeout must be at least twice --heartbeat, ${words}`);
  }
  return timing;
}
