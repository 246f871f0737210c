import { LostEntries } from '../../src/raft/lost-entries.ts';
import type { Heartbeat, HeartbeatAnswer, ReadIndex, ReadIndexAnswer } from '../../src/raft/messages.ts';
import type { State } from '../../src/raft/state.ts';
import type { Timing } from '../../src/raft/timing.ts';
import type { Replication } from '../4-log-replication/replication.ts';

/** A read that waits for its round of heartbeats: asked here, or by a follower under its own number. */
interface Asked {
  readonly number: number;
  readonly from: string | undefined;
}

/** Reads that one round of heartbeats confirms, together. */
interface Round {
  readonly number: number;
  /** The commit index when the round began: whatever was answered before is at or below it. */
  readonly index: number;
  readonly reads: readonly Asked[];
}

/**
 * Heartbeats (§5.2), and what a word from a majority is good for.
 *
 * The problem: a silent leader and a dead one look alike, a lost message is noticed only when the next one comes,
 * and a leader that has been cut off answers reads from a past that the others have left behind. The rule: the
 * leader speaks to everyone in every round, and counts who answers. Whoever has been silent too long is gone; a
 * leader without a majority says so instead of hanging; and a read is answered only after a round that began
 * after the read was asked has been answered by a majority (ReadIndex, §8 and thesis §6.4), since then no newer
 * leader can have answered anything when the read came. One round serves every read that was waiting when it
 * began, and none that came later.
 */
export class Heartbeats {
  readonly #state: State;
  readonly #replication: Replication;
  readonly #timing: Timing;
  #sinceRound = 0;
  #sinceCount = 0;
  /** Ticks since the leader was last heard. */
  #silence = 0;
  #round = 0;
  #hasQuorum = true;
  #asked: Asked[] = [];
  #rounds: Round[] = [];

  constructor(state: State, replication: Replication, timing: Timing) {
    this.#state = state;
    this.#replication = replication;
    this.#timing = timing;
  }

  /** At a follower: ticks since its leader was last heard. */
  get silence(): number {
    return this.#silence;
  }

  /** At the leader: whether a majority answered when it last counted. */
  get hasQuorum(): boolean {
    return this.#hasQuorum;
  }

  /** Begins to lead: what this node was asked when it led before is asked anew by whoever still wants it. */
  reset(): void {
    this.#sinceRound = this.#timing.heartbeatTicks;
    this.#sinceCount = 0;
    this.#silence = 0;
    this.#hasQuorum = true;
    this.#asked = [];
    this.#rounds = [];
  }

  /** Something came from another node. */
  heard(from: string): void {
    if (from === this.#state.leader) this.#silence = 0;
    const progress = this.#state.progress.get(from);
    if (progress !== undefined) progress.isActive = true;
  }

  tick(): void {
    if (this.#state.role !== 'leader') {
      this.#silence += 1;
      return;
    }
    this.#sinceRound += 1;
    this.#sinceCount += 1;
    if (this.#sinceCount >= this.#timing.electionTicks) this.#count();
    for (const [id, progress] of this.#state.progress) {
      if (!progress.isWaiting && progress.inFlight === 0) continue;
      progress.silence += 1;
      if (progress.silence >= this.#timing.electionTicks) this.#replication.reconnect(id);
    }
  }

  /** Counts who has been heard since the last count. */
  #count(): void {
    const { id, quorum, progress } = this.#state;
    this.#sinceCount = 0;
    this.#hasQuorum = quorum.agrees(voter => voter === id || progress.get(voter)?.isActive === true);
    for (const peer of progress.values()) {
      peer.wasActive = peer.isActive;
      peer.isActive = false;
    }
    if (this.#hasQuorum) return;
    // Nobody may answer for long, and what is asked meanwhile must not pile up: whoever still wants it asks again.
    this.#asked = [];
    this.#rounds = [];
  }

  /** Asks for the index that reads asked now must wait for. Called once a turn for all of its reads. */
  read(number: number): void {
    const { role, leader, term } = this.#state;
    if (role === 'leader') this.#asked.push({ number, from: undefined });
    else if (leader !== null) this.#state.send(leader, { type: 'read-index', term, number });
  }

  /** Begins a round when one is due, or when reads wait for one. */
  broadcast(): void {
    const state = this.#state;
    // Before it has committed an entry of its own, a leader may not know all that is committed (§8).
    const canRead = this.#asked.length > 0 && state.commit >= state.leadsFrom;
    if (!canRead && this.#sinceRound < this.#timing.heartbeatTicks) return;
    this.#sinceRound = 0;
    this.#round += 1;
    for (const [id, progress] of state.progress) {
      const commit = Math.min(state.commit, progress.match);
      progress.toldCommit = Math.max(progress.toldCommit, commit);
      state.send(id, { type: 'heartbeat', term: state.term, commit, round: this.#round });
    }
    if (!canRead) return;
    this.#rounds.push({ number: this.#round, index: state.commit, reads: this.#asked });
    this.#asked = [];
    this.#confirm();
  }

  onHeartbeat(from: string, { commit, round }: Heartbeat): void {
    const { id, log } = this.#state;
    // A leader tells no more than what this node has acknowledged to it.
    if (commit > log.last.index) throw new LostEntries(id, commit, log.last.index);
    this.#state.commitTo(commit);
    this.#state.send(from, { type: 'heartbeat-answer', term: this.#state.term, round });
  }

  onAnswer(from: string, { round }: HeartbeatAnswer): void {
    const progress = this.#state.progress.get(from);
    if (progress === undefined) return;
    progress.round = Math.max(progress.round, round);
    this.#confirm();
  }

  onReadIndex(from: string, { number }: ReadIndex): void {
    if (this.#state.role === 'leader') this.#asked.push({ number, from });
  }

  onReadIndexAnswer(_from: string, { number, index }: ReadIndexAnswer): void {
    this.#state.grant({ number, index });
  }

  /** Grants the reads of every round that a majority has answered; an answer to a later round counts for earlier ones. */
  #confirm(): void {
    const { id, quorum, progress, term } = this.#state;
    for (let round = this.#rounds[0]; round !== undefined; round = this.#rounds[0]) {
      const { number: reached, index, reads } = round;
      if (!quorum.agrees(voter => voter === id || (progress.get(voter)?.round ?? 0) >= reached)) return;
      this.#rounds.shift();
      for (const { number, from } of reads) {
        if (from === undefined) this.#state.grant({ number, index });
        else this.#state.send(from, { type: 'read-index-answer', term, number, index });
      }
    }
  }
}
