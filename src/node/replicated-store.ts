import type { TimeCommand } from '../kv/commands.ts';
import type { Entry, Position } from '../raft/entry.ts';
import type { ReadGrant } from '../raft/ready.ts';
import type { ChangeRequest, ReadRequest } from '../wire/ops.ts';
import { Changes, type ChangesOptions } from './changes.ts';
import { ClusterTime } from './cluster-time.ts';
import type { Core, Machine } from './host.ts';
import { Reads, type ReadsOptions } from './reads.ts';
import type { Responder } from './server.ts';

export type ReplicatedStoreOptions = Omit<ChangesOptions, 'time'> & ReadsOptions;

/** About how many bytes an entry that tells the time takes in the log. */
const TIME_BYTES = 48;

/**
 * The store behind the log: changes become entries and are answered when those are applied; reads wait for the
 * index that the leader names.
 */
export class ReplicatedStore implements Machine {
  readonly #core: Core;
  readonly #changes: Changes;
  readonly #reads: Reads;
  readonly #options: ReplicatedStoreOptions;
  readonly #time: ClusterTime;
  #applied: number;
  /** The entry that was to tell the time last, and the term in which this node proposed it. */
  #telling: Position = { index: 0, term: 0 };
  /** The term and leader of the last turn. */
  #reign = '';

  constructor(options: ReplicatedStoreOptions) {
    this.#options = options;
    this.#core = options.core;
    this.#time = new ClusterTime(options);
    this.#changes = new Changes({ ...options, time: this.#time });
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

  /** A snapshot has taken the place of the store: everything up to an index is done. */
  restored(index: number): void {
    this.#applied = index;
    this.#time.reset();
    this.#changes.restored(index);
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
    this.#tellTime();
  }

  /** Puts the time into the log when it is due, once at a time. */
  #tellTime(): void {
    const { isFull, wake } = this.#options;
    const at = this.#time.due();
    const { index, term } = this.#telling;
    const isOnItsWay = term === this.#core.state.term && this.#applied < index;
    if (at === undefined || isOnItsWay || isFull()) return;
    const first = this.#core.propose([
      { command: { op: 'time', at } satisfies TimeCommand, size: TIME_BYTES },
    ]);
    this.#telling = { index: first, term: this.#core.state.term };
    wake();
  }

  /** This node stops: answers all that waits here. */
  shutDown(): void {
    this.#changes.shutDown();
    this.#reads.shutDown();
  }
}
