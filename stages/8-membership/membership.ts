import {
  type Configuration,
  finalConfiguration,
  haveSameVoters,
  jointConfiguration,
} from '../../src/raft/configuration.ts';
import type { Obstacle } from '../../src/raft/obstacle.ts';
import { bestSuccessor, Progress } from '../../src/raft/progress.ts';
import type { State } from '../../src/raft/state.ts';
import type { Timing } from '../../src/raft/timing.ts';
import type { Replication } from '../4-log-replication/replication.ts';
import type { Election } from '../6-election/election.ts';

/** Election timeouts for which a leader goes on speaking to a node that is removed, so that it learns of it. */
const FAREWELL = 4;

/** How far a future voter has come: it has caught up when a whole round took less than an election timeout. */
interface Round {
  /** The end of the leader's log when the round began. */
  target: number;
  ticks: number;
  isCaughtUp: boolean;
}

/** A change of voters that waits for those that are new. */
interface Waiting {
  readonly to: Configuration;
  readonly rounds: ReadonlyMap<string, Round>;
}

/**
 * Membership (§6).
 *
 * The problem: nodes cannot all move from one set of voters to another in the same instant, and while some count
 * by the old set and some by the new, each set may elect a leader of its own. The rule: go by way of a joint
 * configuration, in which every decision needs a majority of both sets. The configuration is an entry of the log,
 * and a node uses the latest in its log from the moment it is there, committed or not; if the entry is truncated,
 * the one before counts again. Once the joint configuration is committed neither set can decide alone, whoever
 * leads appends the new one by itself, and when that is committed too, the old set is gone.
 *
 * It rests on one change at a time, and on each leader having committed an entry of its own term first: a leader
 * that has not may hold a configuration of an earlier leader that is about to be lost (Ongaro, raft-dev 2015).
 *
 * New nodes come in as learners, which are sent the log and count for nothing. They become voters only when they
 * keep up (thesis §4.2.1), so that nobody's commits wait for them. A leader that is not in the new set leads until
 * that set is committed, without counting itself, and then hands over (thesis §4.2.2). Whoever is removed
 * is sent the log a little longer, until it knows; from then on it asks for no votes, and disturbs nobody (thesis §4.2.3).
 */
export class Membership {
  readonly #state: State;
  readonly #replication: Replication;
  readonly #election: Election;
  readonly #timing: Timing;
  #waiting: Waiting | undefined;
  /** Nodes that the latest configuration leaves out, and for how many ticks that has been committed. */
  readonly #leaving = new Map<string, number>();
  /** This leader is no voter any more, and is handing over. */
  #isRetiring = false;

  constructor(state: State, replication: Replication, election: Election, timing: Timing) {
    this.#state = state;
    this.#replication = replication;
    this.#election = election;
    this.#timing = timing;
  }

  /** Begins to lead: what the former leader waited for, and whom it saw off, is not known. */
  lead(): void {
    this.#waiting = undefined;
    this.#leaving.clear();
    this.#isRetiring = false;
  }

  /** Why no change can begin now, if none can. */
  get obstacle(): Obstacle | undefined {
    const { role, commit, leadsFrom, configuration, configurationIndex } = this.#state;
    if (role !== 'leader') return 'not-leading';
    if (commit < leadsFrom) return 'no-op';
    const isSettled = commit >= configurationIndex && configuration.old === undefined;
    if (this.#waiting !== undefined || !isSettled) return 'change';
    return this.#election.successor === undefined ? undefined : 'handing-over';
  }

  /** The future voters that a change waits for; undefined while none waits. */
  get laggards(): readonly string[] | undefined {
    if (this.#waiting === undefined) return undefined;
    return [...this.#waiting.rounds].filter(([id, round]) => !this.#keepsUp(id, round)).map(([id]) => id);
  }

  /** Begins to change the members; with `force`, without waiting for new voters. */
  change(to: Configuration, force: boolean): void {
    const { configuration: from, log } = this.#state;
    if (this.obstacle !== undefined)
      throw new Error(`broken invariant: ${this.#state.id} cannot change the members: ${this.obstacle}`);
    if (to.voters.length === 0) throw new Error('broken invariant: a cluster in which nobody votes');
    if (haveSameVoters(from, to)) {
      this.#adopt(to);
      return;
    }
    const newcomers = force ? [] : to.voters.filter(id => !from.voters.includes(id));
    const begin = (): Round => ({ target: log.last.index, ticks: 0, isCaughtUp: false });
    this.#waiting = { to, rounds: new Map(newcomers.map(id => [id, begin()])) };
    this.#pursue();
  }

  /** Gives up a change of which nothing is in the log yet. */
  cancel(): void {
    this.#waiting = undefined;
  }

  #keepsUp(id: string, { isCaughtUp }: Round): boolean {
    const progress = this.#state.progress.get(id);
    return isCaughtUp && progress !== undefined && (progress.isActive || progress.wasActive);
  }

  /** Goes on to the joint configuration as soon as every new voter keeps up. */
  #pursue(): void {
    if (this.#waiting === undefined) return;
    const { progress, log, configuration } = this.#state;
    for (const [id, round] of this.#waiting.rounds) {
      if ((progress.get(id)?.match ?? 0) < round.target) continue;
      round.isCaughtUp = round.ticks < this.#timing.electionTicks;
      round.target = log.last.index;
      round.ticks = 0;
    }
    if (this.laggards?.length !== 0 || this.#election.successor !== undefined) return;
    const { to } = this.#waiting;
    this.#waiting = undefined;
    this.#adopt(jointConfiguration(configuration, to));
  }

  /** Appends a configuration, which counts at once, and begins to replicate to whoever is new. */
  #adopt(configuration: Configuration): void {
    const { progress, log } = this.#state;
    const size = 64 * (Object.keys(configuration.nodes).length + 1);
    this.#replication.propose([{ command: configuration, size }]);
    for (const id of this.#state.peers) {
      // One that was seen off and comes back may have another data directory: what was known of its log is void.
      const isBack = this.#leaving.delete(id);
      if (progress.has(id) && !isBack) continue;
      progress.set(id, new Progress(log.last.index + 1));
    }
    for (const id of progress.keys()) {
      if (!this.#state.peers.includes(id) && !this.#leaving.has(id)) this.#leaving.set(id, 0);
    }
  }

  /** At the leader, once a turn: the step that what is committed now calls for. */
  advance(): void {
    this.#pursue();
    const { configuration, configurationIndex, commit, leadsFrom, quorum, id } = this.#state;
    if (commit < configurationIndex || commit < leadsFrom) return;
    if (configuration.old !== undefined) this.#adopt(finalConfiguration(configuration));
    else if (!quorum.has(id)) this.#beginToRetire();
  }

  #beginToRetire(): void {
    if (this.#isRetiring) return;
    this.#isRetiring = true;
    const { progress, quorum } = this.#state;
    const successor = bestSuccessor(progress, id => quorum.has(id));
    if (successor !== undefined) this.#election.transfer(successor);
  }

  /** At the leader, when all of a turn has been sent: one that is not in the new set goes, once its successor is asked to stand. */
  retire(): void {
    if (!this.#isRetiring) return;
    const { successor, isSuccessorAsked } = this.#election;
    if (isSuccessorAsked || successor === undefined) this.#election.stepDown();
  }

  tick(): void {
    const { role, commit, configurationIndex, progress } = this.#state;
    if (role !== 'leader') return;
    const { electionTicks } = this.#timing;
    for (const round of this.#waiting?.rounds.values() ?? []) {
      round.ticks += 1;
      if (round.ticks >= electionTicks) round.isCaughtUp = false;
    }
    if (commit < configurationIndex) return;
    for (const [id, ticks] of this.#leaving) {
      this.#leaving.set(id, ticks + 1);
      if (ticks < FAREWELL * electionTicks) continue;
      this.#leaving.delete(id);
      progress.delete(id);
    }
  }
}
