import type { Store } from '../kv/store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Core } from './host.ts';

/** Milliseconds from one entry that tells the time to the next while there are leases, so that a node that starts anew has missed little, … */
const LEASE_BEAT = 1_000;
/** … and while there are only sessions, which live so long that it matters less. */
const SESSION_BEAT = 30_000;
/** Milliseconds between two calls of `due` from which on this process must have slept. */
const ASLEEP = 500;

const NEVER = Number.POSITIVE_INFINITY;

export interface ClusterTimeOptions {
  readonly store: Store;
  readonly core: Core;
  readonly clock: Clock;
}

/**
 * The time that leases and sessions are counted in: milliseconds that pass as fast as a leader's clock does, and that
 * only the log tells anyone. No wall clock is looked at, so none can jump.
 *
 * The rule: every node notes, by its own clock, when it applies an entry that tells the time. That is later than the
 * leader said it, so whoever goes on counting from there is behind the leader that said it, never ahead: a new leader
 * ends nothing early. And it does count on from there, so it forgets nothing but what the entry took to reach it.
 *
 * That the time is told through the log is also what makes a leader harmless that has slept: what it says when it
 * wakes counts only if it still leads, and then nobody else can have renewed anything meanwhile.
 */
export class ClusterTime {
  readonly #options: ClusterTimeOptions;
  /** Cluster time less this node's clock, as of when it last came by here. */
  #offset: number;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(options: ClusterTimeOptions) {
    this.#options = options;
    this.#offset = this.#restored();
  }

  /** Takes note of an entry that tells the time, as it is applied. */
  note(term: number, at: number): void {
    const { core, clock } = this.#options;
    const { state } = core;
    if (state.role === 'leader' && term === state.term) return; // its own words, on which it has gone on counting
    // The latest, for the clock of whoever said it may run slower than this one: the longer ago, the further ahead.
    this.#offset = at - clock.now();
  }

  /** The state was replaced by that of a snapshot, whose time goes on from now. */
  reset(): void {
    this.#offset = this.#restored();
  }

  #restored(): number {
    const { store, clock } = this.#options;
    return store.time - clock.now();
  }

  /** Whether this node leads, and has applied all that was before it led: only then may it tell the time. */
  get canTell(): boolean {
    const { state, isHandingOver } = this.#options.core;
    return state.role === 'leader' && isHandingOver !== true && state.handed >= state.leadsFrom;
  }

  /** What a leader that may tell the time has to say. */
  now(): number {
    const { store, clock } = this.#options;
    return Math.max(store.time, Math.floor(clock.now() + this.#offset));
  }

  /** The time to put into the log, when something is due or it should be heard again. Called every so often. */
  due(): number | undefined {
    const { store, core, clock } = this.#options;
    const hasSlept = clock.now() - this.#lookedAt > ASLEEP;
    this.#lookedAt = clock.now();
    // Whoever has slept first hears what came meanwhile: a lease may have been renewed in time by a line that waits.
    if (hasSlept || !this.canTell || core.hasQuorum === false) return undefined;
    const { leases, sessions, time } = store;
    const next = Math.min(leases.nextDue ?? NEVER, sessions.nextDue ?? NEVER);
    if (next === NEVER) return undefined;
    const now = this.now();
    const beat = leases.size > 0 ? LEASE_BEAT : SESSION_BEAT;
    return next <= now || now - time >= beat ? now : undefined;
  }
}
