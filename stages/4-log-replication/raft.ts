import type { ReplicationMessage } from '../../src/raft/messages.ts';
import type { Proposal } from '../../src/raft/proposal.ts';
import type { Ready } from '../../src/raft/ready.ts';
import { type Beginning, State } from '../../src/raft/state.ts';
import { Replication } from './replication.ts';

/** The term of a leader that is given and never changes. */
const ONLY_TERM = 1;

/** Raft so far: one log, replicated from a leader that is given. */
export class Raft {
  readonly state: State;
  readonly #replication: Replication;

  constructor(beginning: Beginning, leader: string) {
    this.state = new State(beginning);
    this.#replication = new Replication(this.state, { isLeaderGiven: true });
    // As a vote it is durable, and refuses another leader in the same term at every later start.
    if (this.state.vote !== leader) this.state.cast(ONLY_TERM, leader);
    this.state.leader = leader;
    if (leader === this.state.id) this.#lead();
  }

  #lead(): void {
    this.state.role = 'leader';
    this.#replication.lead();
  }

  step(from: string, message: ReplicationMessage): void {
    if (message.term !== ONLY_TERM) return;
    switch (message.type) {
      case 'append':
        this.#replication.onAppend(from, message);
        return;
      case 'appended':
        this.#replication.onAppended(from, message);
        return;
      case 'append-refused':
        this.#replication.onRefused(from, message);
    }
  }

  propose(proposals: readonly Proposal[]): number {
    return this.#replication.propose(proposals);
  }

  linkUp(peer: string): void {
    this.#replication.reconnect(peer);
  }

  stored(mark: number): void {
    this.state.stored(mark);
    if (this.state.role === 'leader') this.#replication.advance();
  }

  ready(): Ready {
    if (this.state.role === 'leader') this.#replication.broadcast();
    return this.state.take();
  }
}
