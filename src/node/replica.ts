import { DEFAULT_HISTORY, type HistoryBounds } from '../kv/history.ts';
import { Store } from '../kv/store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Recovered, Storage, StorageListener } from '../ports/storage.ts';
import type { Transport, TransportListener } from '../ports/transport.ts';
import { type Configuration, NO_CONFIGURATION } from '../raft/configuration.ts';
import type { Beginning } from '../raft/state.ts';
import { DEFAULT_TIMING, type Timing } from '../raft/timing.ts';
import type { ClusterRequest, Request } from '../wire/ops.ts';
import { failed } from '../wire/reply.ts';
import { entryOf } from '../wire/table.ts';
import type { Member, RaftFacts } from './about.ts';
import { sendBackup } from './backup.ts';
import { Compaction, type CompactionLimits, DEFAULT_LIMITS } from './compaction.ts';
import { Forwarding } from './forwarding.ts';
import { type Core, Host, type Machine } from './host.ts';
import { type AskStatus, MembershipChanges } from './membership.ts';
import type { NodeMessage } from './raft-codec.ts';
import { ReplicatedStore } from './replicated-store.ts';
import type { Responder, Service } from './server.ts';
import { Transfers } from './transfers.ts';
import { leaderOf, noLeader, notLeader } from './waiting.ts';

/** Milliseconds between two looks at what has waited too long. */
const SWEEP = 100;

/** Milliseconds between two tries of a leader whose disk is full to have another lead. */
const MAKE_WAY = 5_000;

/** What a stage brings to the node that runs it: its number, and its wiring of the core. */
export interface RaftStage {
  readonly number: number;
  /** The leader of the one term that there is, where it is given and not elected. */
  readonly leader?: string;
  readonly makeCore: (beginning: Beginning, timing: Timing, random: () => number) => Core;
}

export interface ReplicaOptions {
  readonly id: string;
  readonly stage: RaftStage;
  readonly recovered: Recovered;
  /** What the snapshot held that it starts from; this becomes its own. */
  readonly store?: Store;
  readonly storage: Storage<Store>;
  readonly transport: Transport<NodeMessage>;
  readonly clock: Clock;
  /** Evenly distributed in [0, 1). */
  readonly random: () => number;
  readonly timing?: Timing;
  /** From stage 7: when the log is compacted. */
  readonly limits?: CompactionLimits;
  /** How many of the latest revisions are kept for those who watch. */
  readonly history?: HistoryBounds;
  /** From stage 8: the cluster that it is a member of, … */
  readonly cluster?: string;
  /** … and how to ask a node that is to be added who it is. */
  readonly ask?: AskStatus;
  /** From stage 8: the mark of the data directory that another node had when it was first met. */
  readonly markOf?: (id: string) => string | undefined;
  /** Called every so often: the nodes that this one has to do with may have changed. */
  readonly onContacts?: () => void;
}

/**
 * A node without its sockets and its files: core, host, store and what stands between them and a client. It knows
 * the world only through its ports, so that a simulator can be the world.
 */
export class Replica implements Service, TransportListener<NodeMessage>, StorageListener {
  readonly stage: number;
  readonly core: Core;
  readonly store: Store;
  readonly #id: string;
  readonly #host: Host;
  readonly #replicated: ReplicatedStore;
  readonly #forwarding: Forwarding;
  readonly #transfers: Transfers;
  readonly #storage: Storage<Store>;
  readonly #compaction: Compaction | undefined;
  readonly #membership: MembershipChanges;
  readonly #transport: Transport<NodeMessage>;
  readonly #clock: Clock;
  readonly #tick: number;
  readonly #sweeper: { stop(): void };
  #mayMakeWayAt = 0;

  constructor({
    id,
    stage,
    recovered,
    store = new Store(),
    storage,
    transport,
    clock,
    random,
    timing = DEFAULT_TIMING,
    limits = DEFAULT_LIMITS,
    history = DEFAULT_HISTORY,
    cluster = '',
    ask = notAsked,
    markOf = () => undefined,
    onContacts,
  }: ReplicaOptions) {
    this.#id = id;
    this.stage = stage.number;
    this.store = store;
    store.history.limit(history);
    this.#storage = storage;
    this.#transport = transport;
    this.#clock = clock;
    const beginning: Beginning = { configuration: NO_CONFIGURATION, ...recovered, id };
    this.core = stage.makeCore(beginning, timing, random);
    this.#tick = timing.tick;
    const firstNumber = Math.floor(random() * 2 ** 47);
    this.#forwarding = new Forwarding(transport, this, clock, firstNumber);
    this.#replicated = new ReplicatedStore({
      store: this.store,
      core: this.core,
      forwarding: this.#forwarding,
      clock,
      addressOf: node => this.#addressOf(node),
      wake: () => this.#host.wake(),
      isFull: () => storage.isFull,
      members: () => this.members.map(({ id: node, address, role }) => ({ id: node, address, role })),
      firstNumber,
    });
    this.#transfers = new Transfers({
      core: this.core,
      addressOf: node => this.#addressOf(node),
      rev: () => this.store.rev,
      wake: () => this.#host.wake(),
    });
    this.#compaction = this.#makeCompaction(clock, limits);
    this.#membership = new MembershipChanges({
      core: this.core,
      clock,
      cluster,
      ask,
      markOf,
      random,
      members: () => this.members,
      rev: () => this.store.rev,
      wake: () => this.#host.wake(),
    });
    this.#host = new Host({
      core: this.core,
      storage,
      transport,
      clock,
      machine: this.#machine(),
      compaction: this.#compaction,
      tick: timing.tick,
    });
    this.#sweeper = clock.every(SWEEP, () => {
      this.#replicated.sweep();
      this.#makeWay();
      this.#transfers.check();
      this.#membership.check();
      onContacts?.();
      this.#forwarding.sweep(this.core.state.leader);
    });
  }

  /** From stage 7, where the disk has room for snapshots. */
  #makeCompaction(clock: Clock, limits: CompactionLimits): Compaction | undefined {
    const { snapshots: core, state } = this.core;
    const { snapshots } = this.#storage;
    if (core === undefined || snapshots === undefined) return undefined;
    return new Compaction({
      core,
      state,
      storage: this.#storage,
      snapshots,
      store: this.store,
      clock,
      limits,
      onRestored: (loaded, index) => {
        this.store.become(loaded);
        this.#replicated.restored(index);
        this.#host.restored(index);
      },
      wake: () => this.#host.wake(),
    });
  }

  /** The store, and whoever else wants to know what a turn has brought. */
  #machine(): Machine {
    const store = this.#replicated;
    return {
      beforeReady: () => store.beforeReady(),
      apply: entry => store.apply(entry),
      granted: read => store.granted(read),
      afterTurn: () => {
        store.afterTurn();
        // At once: a leader that is removed has no other time to answer.
        this.#membership.check();
      },
    };
  }

  /** The members, and where each listens. */
  get configuration(): Configuration {
    return this.core.state.configuration;
  }

  #addressOf(node: string): string | undefined {
    return entryOf(this.configuration.nodes, node);
  }

  /** Answers a request that is not about this node alone; one that another node has forwarded, too. */
  handle(request: Request, responder: Responder): void {
    switch (request.op) {
      case 'get':
      case 'list':
      case 'leases':
        this.#replicated.read(request, responder);
        return;
      case 'set':
      case 'remove':
      case 'txn':
      case 'grant':
      case 'renew':
      case 'revoke':
      case 'session':
        this.#replicated.change(request, responder);
        return;
      case 'watch':
      case 'unwatch':
        this.#replicated.watch(request, responder);
        return;
      case 'transfer-leader':
      case 'add-learner':
      case 'change-membership':
      case 'remove-node':
        this.#atLeader(request, responder);
        return;
      case 'backup':
        this.#replicated.confirm(responder, () => this.#backUp(responder));
        return;
      case 'snapshot':
        this.#compaction?.request(responder);
        return;
      default:
        throw new Error(`${request.op} is not for a replica`);
    }
  }

  /** Sends the state as it is now, whatever happens to it meanwhile. */
  #backUp(responder: Responder): void {
    const index = this.#host.applied;
    const { log } = this.core.state;
    const position = { index, term: log.termAt(index) ?? 0 };
    const head = { ...position, configuration: this.core.state.configurationAt(index), base: position };
    sendBackup(head, new Store(this.store), responder, this.#clock);
  }

  /** What only the leader can do, here or where it is. */
  #atLeader(request: Exclude<ClusterRequest, { op: 'init' | 'snapshot' }>, responder: Responder): void {
    const { role, leader } = this.core.state;
    if (role === 'leader') {
      if (request.op === 'transfer-leader') this.#transfers.transfer(request, responder);
      else this.#membership.take(request, responder);
    } else if (request.forward === false) {
      responder.answer(failed(notLeader(leaderOf(this.core, node => this.#addressOf(node)))));
    } else if (leader === null) {
      responder.answer(failed(noLeader(this.core)));
    } else {
      const address = this.#addressOf(leader) ?? '';
      this.#forwarding.forward(request, responder, { id: leader, address });
    }
  }

  /** Another member says that this node was removed; a leader finds out by itself, and may know better. */
  onDismissed(): void {
    const { state } = this.core;
    if (state.role !== 'leader') state.isDismissed = true;
  }

  /** Hands leadership over before this node stops; false when it does not lead, or nobody else could. */
  resign(): boolean {
    return this.core.state.role === 'leader' && this.#transfers.resign(to => this.#transport.isUp(to));
  }

  /** A leader whose disk is full can take on nothing more: who has all that it has, and so had room for it, can. */
  #makeWay(): void {
    const { isHandingOver, state } = this.core;
    const now = this.#clock.now();
    if (!this.#storage.isFull || state.role !== 'leader' || isHandingOver || now < this.#mayMakeWayAt) return;
    const hasAll = (id: string) => state.progress.get(id)?.match === state.log.last.index;
    if (this.#transfers.resign(id => hasAll(id) && this.#transport.isUp(id)))
      this.#mayMakeWayAt = now + MAKE_WAY;
  }

  /** True while another node waits for what it asked here. */
  get isOwing(): boolean {
    return this.#forwarding.isOwing;
  }

  onMessage(from: string, message: NodeMessage): void {
    if (message.type === 'forward' || message.type === 'forwarded') this.#forwarding.step(from, message);
    else this.#host.onMessage(from, message);
  }

  onLinkUp(to: string): void {
    this.#host.onLinkUp(to);
  }

  onLinkDown(to: string): void {
    this.#forwarding.linkDown(to);
  }

  onDurable(mark: number): void {
    this.#host.onDurable(mark);
  }

  /** What `status` and `members` tell. */
  get members(): readonly Member[] {
    const { nodes, voters } = this.configuration;
    const { state } = this.core;
    return Object.entries(nodes).map(([id, address]): Member => {
      const member = { id, address, role: voters.includes(id) ? 'voter' : 'learner' } as const;
      if (state.role !== 'leader') return member;
      const last = state.log.last.index;
      if (id === this.#id) return { ...member, match: last, lag: 0, active: true };
      const progress = state.progress.get(id);
      const match = progress?.match ?? 0;
      return {
        ...member,
        match,
        lag: last - match,
        active: progress !== undefined && (progress.isActive || progress.wasActive),
      };
    });
  }

  /** How many watches clients have here. */
  get watches(): number {
    return this.#replicated.watches;
  }

  get facts(): RaftFacts {
    const { state, silence } = this.core;
    const latest = this.#storage.snapshots?.latest;
    return {
      term: state.term,
      commit: state.commit,
      applied: this.#host.applied,
      log: this.#storage.extent,
      ...(latest && { snapshot: { index: latest.index, term: latest.term, bytes: latest.bytes } }),
      hash: this.store.hash,
      ...(silence === undefined || state.role === 'leader' ? {} : { silence: silence * this.#tick }),
    };
  }

  /** Answers all that is under way, done or not. */
  giveUp(): void {
    this.#replicated.shutDown();
    this.#compaction?.shutDown();
    this.#forwarding.shutDown();
    this.#membership.shutDown();
  }

  /** Turns no more. */
  stop(): void {
    this.#sweeper.stop();
    this.giveUp();
    this.#host.stop();
  }
}

/** Where there are no sockets to ask with. */
function notAsked(): never {
  throw new Error('nobody can be asked');
}
