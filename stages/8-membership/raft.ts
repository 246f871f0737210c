import type { Configuration } from '../../src/raft/configuration.ts';
import type { Message } from '../../src/raft/messages.ts';
import type { Obstacle } from '../../src/raft/obstacle.ts';
import type { Proposal } from '../../src/raft/proposal.ts';
import type { Ready } from '../../src/raft/ready.ts';
import { type Beginning, State } from '../../src/raft/state.ts';
import type { Timing } from '../../src/raft/timing.ts';
import { Replication } from '../4-log-replication/replication.ts';
import { Heartbeats } from '../5-heartbeats/heartbeats.ts';
import { Election } from '../6-election/election.ts';
import { Snapshots } from '../7-compaction/snapshots.ts';
import { Membership } from './membership.ts';

/** The entry with which a leader begins its term: committing it commits all before it (§8). */
const NO_OP: Proposal = { command: null, size: 32 };

/** Raft, whole: a replicated log whose leader is replaced when it fails, and whose members can be changed. */
export class Raft {
  readonly state: State;
  /** What the host tells of the snapshots on its disk. */
  readonly snapshots: Snapshots;
  readonly #replication: Replication;
  readonly #heartbeats: Heartbeats;
  readonly #election: Election;
  readonly #membership: Membership;

  constructor(beginning: Beginning, timing: Timing, random: () => number) {
    this.state = new State(beginning);
    this.snapshots = new Snapshots(this.state);
    this.#replication = new Replication(this.state, {
      isLeaderGiven: false,
      onBehind: (_id, progress) => this.snapshots.begin(progress),
    });
    this.#heartbeats = new Heartbeats(this.state, this.#replication, timing);
    this.#election = new Election(this.state, { timing, random, onElected: () => this.#lead() });
    this.#membership = new Membership(this.state, this.#replication, this.#election, timing);
  }

  #lead(): void {
    this.#replication.lead();
    this.#heartbeats.reset();
    this.#membership.lead();
    this.state.leadsFrom = this.#replication.propose([NO_OP]);
  }

  step(from: string, message: Message): void {
    if (!this.#election.admit(from, message)) return;
    this.#heartbeats.heard(from);
    switch (message.type) {
      case 'append':
        this.#replication.onAppend(from, message);
        return;
      case 'appended':
        this.#replication.onAppended(from, message);
        return;
      case 'append-refused':
        this.#replication.onRefused(from, message);
        return;
      case 'heartbeat':
        this.#heartbeats.onHeartbeat(from, message);
        return;
      case 'heartbeat-answer':
        this.#heartbeats.onAnswer(from, message);
        return;
      case 'read-index':
        this.#heartbeats.onReadIndex(from, message);
        return;
      case 'read-index-answer':
        this.#heartbeats.onReadIndexAnswer(from, message);
        return;
      case 'request-vote':
        this.#election.onRequestVote(from, message);
        return;
      case 'vote':
        this.#election.onVote(from, message);
        return;
      case 'timeout-now':
        this.#election.onTimeoutNow(from, message);
        return;
      case 'install':
        this.snapshots.onInstall(from, message);
        return;
      case 'installed':
        this.snapshots.onInstalled(from, message);
    }
  }

  /** Leadership is being handed over, and nothing may be proposed meanwhile. */
  get isHandingOver(): boolean {
    return this.#election.successor !== undefined;
  }

  /** Why the members cannot be changed now, if they cannot. */
  get obstacle(): Obstacle | undefined {
    return this.#membership.obstacle;
  }

  /** The future voters that a change of the members waits for; undefined while none waits. */
  get laggards(): readonly string[] | undefined {
    return this.#membership.laggards;
  }

  /** Ticks since this node last heard its leader. */
  get silence(): number {
    return this.#heartbeats.silence;
  }

  tick(): void {
    this.#heartbeats.tick();
    if (this.state.role === 'leader' && !this.#heartbeats.hasQuorum) this.#election.stepDown();
    this.#election.tick();
    this.#membership.tick();
  }

  propose(proposals: readonly Proposal[]): number {
    return this.#replication.propose(proposals);
  }

  read(number: number): void {
    this.#heartbeats.read(number);
  }

  transfer(to: string): void {
    this.#election.transfer(to);
  }

  changeMembers(to: Configuration, force: boolean): void {
    this.#membership.change(to, force);
  }

  cancelChange(): void {
    this.#membership.cancel();
  }

  linkUp(peer: string): void {
    this.#replication.reconnect(peer);
  }

  stored(mark: number): void {
    this.state.stored(mark);
    this.#election.onStored();
    if (this.state.role === 'leader') this.#replication.advance();
  }

  ready(): Ready {
    if (this.state.role === 'leader') {
      this.#membership.advance();
      this.#replication.broadcast();
      this.snapshots.broadcast();
      this.#heartbeats.broadcast();
      this.#election.pursueTransfer();
      this.#membership.retire();
    }
    return this.state.take();
  }
}
