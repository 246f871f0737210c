import type { TimeCommand } from '../kv/commands.ts';
import type { Entry, Position } from '../raft/entry.ts';
import type { ReadGrant } from '../raft/ready.ts';
import type { State } from '../raft/state.ts';
import type { ChangeRequest, ReadRequest, WatchRequest } from '../wire/ops.ts';
import { Changes, type ChangesOptions } from './changes.ts';
import { ClusterTime } from './cluster-time.ts';
import type { Core, Machine } from './host.ts';
import { Reads, type ReadsOptions } from './reads.ts';
import type { Responder } from './server.ts';
import { noLeader } from './waiting.ts';
import { Watches } from './watches.ts';

export interface ReplicatedStoreOptions extends Omit<ChangesOptions, 'time'>, ReadsOptions {
  /** The members of the cluster, as those who watch it are told. */
  readonly members: () => readonly object[];
}

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
  readonly #watches: Watches;
  #applied: number;
  /** The entry that was to tell the time last, and the term in which this node proposed it. */
  #telling: Position = { index: 0, term: 0 };
  /** The term and leader of the last turn. */
  #reign = '';
  /** What those who watch the cluster were told last. */
  #seen: Pick<State, 'term' | 'leader' | 'configuration'>;

  constructor(options: ReplicatedStoreOptions) {
    this.#options = options;
    this.#core = options.core;
    this.#time = new ClusterTime(options);
    this.#changes = new Changes({ ...options, time: this.#time });
    this.#reads = new Reads(options);
    this.#watches = new Watches({
      ...options,
      confirm: (responder, run) => this.#reads.confirm(responder, run),
      mayLag: () => this.#core.read === undefined && this.#core.state.role !== 'leader',
      cluster: () => [this.#leaderEvent(), this.#membersEvent()],
      farewell: () => (this.#core.state.isRemoved ? noLeader(this.#core) : undefined),
    });
    this.#applied = options.core.state.handed;
    const { term, leader, configuration } = options.core.state;
    this.#seen = { term, leader, configuration };
  }

  read(request: ReadRequest, responder: Responder): void {
    this.#reads.take(request, responder);
  }

  change(request: ChangeRequest, responder: Responder): void {
    this.#changes.take(request, responder);
  }

  /** Does something once all is applied here that is committed now, or answers why that cannot be. */
  confirm(responder: Responder, run: () => void): void {
    this.#reads.confirm(responder, run);
  }

  watch(request: WatchRequest, responder: Responder): void {
    this.#watches.take(request, responder);
  }

  /** How many watches there are. */
  get watches(): number {
    return this.#watches.count;
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
    this.#watches.keepUp();
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
    this.#watches.turned();
    this.#noticeCluster();
  }

  /** Tells those who watch the cluster when its leader or its members are others than before. */
  #noticeCluster(): void {
    const { term, leader, configuration } = this.#core.state;
    const seen = this.#seen;
    const isSameLeader = seen.term === term && seen.leader === leader;
    if (isSameLeader && seen.configuration === configuration) return;
    const isSameCluster = seen.configuration === configuration;
    this.#seen = { term, leader, configuration };
    this.#watches.clusterChanged([
      ...(isSameLeader ? [] : [this.#leaderEvent()]),
      ...(isSameCluster ? [] : [this.#membersEvent()]),
    ]);
  }

  #leaderEvent(): object {
    const { term, leader } = this.#core.state;
    const address = leader === null ? null : (this.#options.addressOf(leader) ?? null);
    return { type: 'leader', id: leader, address, term };
  }

  #membersEvent(): object {
    return { type: 'members', members: this.#options.members() };
  }

  /** Gives up what has waited too long. Called every so often. */
  sweep(): void {
    this.#changes.sweep();
    this.#reads.sweep();
    this.#watches.sweep();
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
