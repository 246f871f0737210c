import type { Entry } from '../raft/entry.ts';
import type { ReadGrant } from '../raft/ready.ts';
import type { ChangeRequest, ReadRequest } from '../wire/ops.ts';
import { Changes, type ChangesOptions } from './changes.ts';
import type { Core, Machine } from './host.ts';
import { Reads, type ReadsOptions } from './reads.ts';
import type { Responder } from './server.ts';

/**
 * The store behind the log: changes become entries and are answered when those are applied; reads wait for the
 * index that the leader names.
 */
export class ReplicatedStore implements Machine {
  readonly #core: Core;
  readonly #changes: Changes;
  readonly #reads: Reads;
  #applied: number;
  /** The term and leader of the last turn. */
  #reign = '';

  constructor(options: ChangesOptions & ReadsOptions) {
    this.#core = options.core;
    this.#changes = new Changes(options);
    this.#reads = new Reads(options);
    this.#applied = options.core.state.handed;
  }

  read(request: ReadRequest, responder: Responder): void {
    this.#reads.take(request, responder);
  }

  change(request: ChangeRequest, responder: Responder): void {
    this.#changes.take(request, responder);
  }

  beforeReady(): void {
    this.#notice();
    this.#changes.propose();
    this.#reads.ask();
  }

  #notice(): void {
    const { term, leader, role } = this.#core.state;
    const reign = `${term} ${leader} ${role === 'leader' && this.#core.isHandingOver !== true}`;
    if (reign === this.#reign) return;
    this.#reign = reign;
    this.#reads.onLeaderChange();
    this.#changes.onLeaderChange();
  }

  apply(entry: Entry): void {
    this.#applied = entry.index;
    this.#changes.apply(entry);
  }

  granted(read: ReadGrant): void {
    this.#reads.granted(read);
  }

  afterTurn(): void {
    this.#reads.answerUpTo(this.#applied);
  }

  /** Gives up what has waited too long. Called every so often. */
  sweep(): void {
    this.#changes.sweep();
    this.#reads.sweep();
  }

  /** This node stops: answers all that waits here. */
  shutDown(): void {
    this.#changes.shutDown();
    this.#reads.shutDown();
  }
}
