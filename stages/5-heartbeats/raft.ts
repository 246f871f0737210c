import type { HeartbeatMessage, ReplicationMessage } from '../../src/raft/messages.ts';
import type { Proposal } from '../../src/raft/proposal.ts';
import type { Ready } from '../../src/raft/ready.ts';
import { type Beginning, State } from '../../src/raft/state.ts';
import type { Timing } from '../../src/raft/timing.ts';
import { Replication } from '../4-log-replication/replication.ts';
import { Heartbeats } from './heartbeats.ts';

/** The term of a leader that is given and never changes. */
const ONLY_TERM = 1;

/** Raft so far: a log replicated from a leader that is given, and knows whether it still reaches a majority. */
export class Raft {
  readonly state: State;
  readonly #replication: Replication;
  readonly #heartbeats: Heartbeats;

  constructor(beginning: Beginning, timing: Timing, leader: string) {
    this.state = new State(beginning);
    this.#replication = new Replication(this.state, { isLeaderGiven: true });
    this.#heartbeats = new Heartbeats(this.state, this.#replication, timing);
    // As a vote it is durable, and refuses another leader in the same term at every later start.
    if (this.state.vote !== leader) this.state.cast(ONLY_TERM, leader);
    this.state.leader = leader;
    if (leader === this.state.id) this.#lead();
  }

  #lead(): void {
    this.state.role = 'leader';
    this.#replication.lead();
    this.#heartbeats.reset();
  }

  step(from: string, message: ReplicationMessage | HeartbeatMessage): void {
    if (message.term !== ONLY_TERM) return;
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
    }
  }

  /** Whether the leader was answered by a majority when it last counted. */
  get hasQuorum(): boolean {
    return this.#heartbeats.hasQuorum;
  }

  /** Ticks since this node last heard its leader. */
  get silence(): number {
    return this.#heartbeats.silence;
  }

  tick(): void {
    this.#heartbeats.tick();
  }

  propose(proposals: readonly Proposal[]): number {
    return this.#replication.propose(proposals);
  }

  read(number: number): void {
    this.#heartbeats.read(number);
  }

  linkUp(peer: string): void {
    this.#replication.reconnect(peer);
  }

  stored(mark: number): void {
    this.state.stored(mark);
    if (this.state.role === 'leader') this.#replication.advance();
  }

  ready(): Ready {
    if (this.state.role === 'leader') {
      this.#replication.broadcast();
      this.#heartbeats.broadcast();
    }
    return this.state.take();
  }
}
