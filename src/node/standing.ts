import { isIP } from 'node:net';
import type { HistoryBounds } from '../kv/history.ts';
import type { Clock } from '../ports/clock.ts';
import type { Recovered } from '../ports/storage.ts';
import type { Codec } from '../ports/transport.ts';
import type { Timing } from '../raft/timing.ts';
import { type NodeAddress, parseAddress } from '../wire/address.ts';
import { type Failure, failure } from '../wire/errors.ts';
import { OPS } from '../wire/ops.ts';
import { failed, type Outcome } from '../wire/reply.ts';
import { entryOf } from '../wire/table.ts';
import type { NodeState } from './about.ts';
import type { CompactionLimits } from './compaction.ts';
import { isNoSpace, isOutOfDescriptors } from './file-system.ts';
import { writeFirstEntry } from './first-entry.ts';
import { type Acquaintance, lostData, misdialled, removalOf } from './handshake.ts';
import type { OpenedJournal } from './journal-open.ts';
import type { AskStatus } from './membership.ts';
import type { Belonging } from './options.ts';
import { clusterOf, type Dial, type PeerConnection, type PeerSession, Peers } from './peers.ts';
import type { NodeMessage } from './raft-codec.ts';
import { type RaftStage, Replica } from './replica.ts';

export interface StandingOptions {
  readonly id: string;
  readonly stage: RaftStage;
  readonly journal: OpenedJournal;
  /** How other nodes are reached, … */
  readonly dial: Dial;
  readonly codec: Codec<NodeMessage>;
  /** … and how one that is to be added is asked who it is. */
  readonly ask: AskStatus;
  readonly clock: Clock;
  /** Evenly distributed in [0, 1). */
  readonly random: () => number;
  readonly timing?: Timing | undefined;
  /** From stage 7: when the log is compacted. */
  readonly limits?: CompactionLimits | undefined;
  /** From stage 4: how much of the past is kept for those who watch. */
  readonly history?: HistoryBounds | undefined;
}

/** What a node has once it is part of a cluster. */
export interface Membership {
  readonly cluster: string;
  readonly replica: Replica;
  readonly peers: Peers<NodeMessage>;
}

/** What a node knows of itself before it is a member of anything. */
const NOBODY = {
  member: 0,
  latest: 0,
  settled: 0,
  isRemoved: false,
  contacts: {},
  instances: {},
  origin: undefined,
  remember: () => {},
};

/** Whether members come and go in a stage; before, the list of nodes that a cluster begins with is all there is. */
function hasChangingMembers({ number }: RaftStage): boolean {
  return number >= OPS['add-learner'].stage;
}

/** What a node lacks that cannot write down whom it meets, where that may pass. */
function shortageIn(error: unknown, id: string): Failure | undefined {
  if (isNoSpace(error)) return failure('NO_SPACE', `the disk of ${id} is full; free some space there`);
  if (!isOutOfDescriptors(error)) return undefined;
  return failure('BUSY', `${id} has no file descriptor left; it goes on when some are free`);
}

/** Where a node stands: it waits for a cluster, or is part of one, and then has its replica and its ways to the others. */
export class Standing {
  readonly #options: StandingOptions;
  /** Where this node listens. */
  #address: string;
  #membership: Membership | undefined;
  /** The marks of the data directories of other nodes. */
  readonly #met: Map<string, string>;
  #isRemovalNoted: boolean;
  /** A member of a cluster knows this node, which waits, by another data directory. */
  #hasLostData = false;
  #hear: (belonging: Belonging) => void = () => {};
  /** What was told last. */
  #told: Belonging | undefined;

  constructor(options: StandingOptions, address: string) {
    this.#options = options;
    this.#met = new Map(Object.entries(options.journal.peers));
    this.#isRemovalNoted = options.journal.recovered.wasMember === true;
    this.#address = address;
  }

  get membership(): Membership | undefined {
    return this.#membership;
  }

  /** Takes up what the data directory tells, or else begins with these nodes; without them, waits. */
  start(address: string, nodes: readonly NodeAddress[] | undefined): void {
    this.#address = address;
    const { recovered, cluster } = this.#options.journal;
    if (recovered.entries.length > 0 || recovered.snapshot !== undefined) this.#join(recovered, cluster);
    else if (nodes !== undefined) this.begin(nodes);
  }

  /** Begins a cluster of these nodes, as each of them does. */
  begin(nodes: readonly NodeAddress[]): void {
    const { storage, recovered, join } = this.#options.journal;
    const begun = writeFirstEntry(storage, recovered.ballot, nodes);
    join(clusterOf(nodes));
    this.#join(begun, clusterOf(nodes));
  }

  /** Calls back with how this node stands to its cluster, and whenever that changes. */
  onBelonging(hear: (belonging: Belonging) => void): void {
    this.#hear = hear;
    this.#told = undefined;
    this.#tell();
  }

  get #belonging(): Belonging {
    const { replica } = this.#membership ?? {};
    if (replica === undefined) return this.#hasLostData ? 'lost' : 'waiting';
    return replica.core.state.isRemoved ? 'removed' : 'member';
  }

  #tell(): void {
    const belonging = this.#belonging;
    if (belonging === this.#told) return;
    this.#told = belonging;
    this.#hear(belonging);
  }

  onDurable(mark: number): void {
    this.#membership?.replica.onDurable(mark);
  }

  /** Answers the handshake of another node; `mayJoin`: this one may become a member by it. */
  accept(
    hello: Readonly<Record<string, unknown>>,
    connection: PeerConnection,
    mayJoin: boolean,
  ): { outcome: Outcome; session?: PeerSession } {
    try {
      if (this.#membership === undefined && mayJoin) this.#beFound(hello);
      return this.#membership?.peers.accept(hello, connection) ?? { outcome: this.notInitialised() };
    } catch (error) {
      // A first meeting is written down, and the disk may be full: the other node calls again.
      const shortage = shortageIn(error, this.#options.id);
      if (shortage === undefined) throw error;
      return { outcome: failed(shortage) };
    }
  }

  notInitialised(): Outcome {
    const words = `${this.#options.id} waits for a cluster: send init with the list of its nodes`;
    return failed(failure('NOT_INITIALISED', words));
  }

  /**
   * A member of a cluster calls this node, which waits: it was added there, if the caller knows it by its data
   * directory; or it has begun and has nothing yet. Then it is a member with an empty log, and is sent the rest.
   */
  #beFound(hello: Readonly<Record<string, unknown>>): void {
    const { id, stage, journal } = this.#options;
    const { recovered, instance, join, cluster: known } = journal;
    const { cluster, expects, to } = hello;
    this.#hasLostData ||= to === id && typeof expects === 'string' && expects !== instance;
    this.#tell();
    if (typeof cluster !== 'string' || !hasChangingMembers(stage)) return;
    if (expects !== instance && cluster !== known) return;
    const acquaintance = { ...NOBODY, address: this.#address, instance };
    if (misdialled(hello, { id, cluster, acquaintance }) !== undefined) return;
    join(cluster);
    this.#join(recovered, cluster);
  }

  /** The log may be compacted beyond what tells of it. */
  #noteRemoval(): void {
    if (this.#isRemovalNoted) return;
    try {
      this.#options.journal.dismiss();
      this.#isRemovalNoted = true;
    } catch (error) {
      // Where that may pass, it is tried again.
      if (shortageIn(error, this.#options.id) === undefined) throw error;
    }
  }

  /** In words, that the others look for this node where it does not listen; they may still find it there, by way of a translator of addresses. */
  #movedFrom({ configuration }: Replica): string | undefined {
    const { id } = this.#options;
    const known = entryOf(configuration.nodes, id);
    if (known === undefined || !isElsewhere(known, this.#address)) return undefined;
    const remedy = `if it has moved, raftline add-learner --node ${id}=${this.#address} tells them`;
    return `${id} listens on ${this.#address}, and its cluster looks for it at ${known}: ${remedy}`;
  }

  #acquaintance({ core: { state } }: Replica): Acquaintance {
    const { id, journal } = this.#options;
    const { instances = {} } = state.configuration;
    return {
      address: entryOf(state.configuration.nodes, id) ?? this.#address,
      member: state.memberSince,
      latest: state.configurationIndex,
      settled: state.settledIndex,
      isRemoved: state.isRemoved,
      contacts: state.contacts,
      instance: journal.instance,
      // A node that was removed and added again is known by the directory with which it was added.
      instances: { ...Object.fromEntries(this.#met), ...instances },
      origin: state.settledConfiguration.origin,
      remember: (peer, mark) => {
        // In this order: what is not on the disk may not be relied on.
        journal.remember(peer, mark);
        this.#met.set(peer, mark);
      },
    };
  }

  #join(recovered: Recovered, known: string | null): void {
    const { id, stage, journal, dial, codec, ask, clock, random, timing, limits, history } = this.#options;
    const replica = new Replica({
      id,
      stage,
      recovered,
      store: journal.state,
      storage: journal.storage,
      transport: {
        send: (to, message) => peers.send(to, message),
        isUp: to => peers.isUp(to),
      },
      clock,
      random,
      ask,
      markOf: peer => this.#met.get(peer),
      onContacts: () => {
        if (hasChangingMembers(stage)) follow();
      },
      ...(known !== null && { cluster: known }),
      ...(timing && { timing }),
      ...(limits && { limits }),
      ...(history && { history }),
    });
    const nodes = Object.entries(replica.configuration.nodes).map(([node, address]) => ({
      id: node,
      address,
    }));
    const cluster = known ?? clusterOf(nodes);
    const dynamic = {
      acquaintance: () => this.#acquaintance(replica),
      markOf: (peer: string) => entryOf(replica.core.state.configuration.instances ?? {}, peer),
      onDismissed: () => replica.onDismissed(),
    };
    const peers = new Peers({ id, cluster, dial, ...(hasChangingMembers(stage) && dynamic) }, codec, replica);
    const follow = () => {
      const { isRemoved, contacts } = replica.core.state;
      peers.follow(isRemoved ? {} : contacts, clock.now());
      if (isRemoved) this.#noteRemoval();
      this.#tell();
    };
    this.#membership = { cluster, replica, peers };
    const moved = this.#movedFrom(replica);
    if (moved !== undefined) process.stderr.write(`raftline: ${moved}\n`);
    follow();
  }

  /** What this node tells of itself. */
  get state(): NodeState {
    const { id: node, stage, journal } = this.#options;
    const about = { node, address: this.#address, stage: stage.number, instance: journal.instance };
    if (this.#membership === undefined) {
      const nothing = { cluster: null, leader: null, members: [], rev: 0, keys: 0 };
      const notice = this.#hasLostData ? { notice: lostData(node) } : {};
      return { ...about, ...nothing, ...notice, role: 'uninitialised' };
    }
    const { cluster, replica, peers } = this.#membership;
    const { role, leader, isRemoved, mayStand, settledConfiguration } = replica.core.state;
    const { origin } = settledConfiguration;
    const moved = leader === null ? this.#movedFrom(replica) : undefined;
    const { store, members, watches, facts: raft } = replica;
    return {
      ...about,
      cluster,
      role: role === 'follower' && !mayStand ? 'learner' : role === 'pre-candidate' ? 'candidate' : role,
      removed: isRemoved,
      notice: isRemoved
        ? removalOf(node)
        : noticeOf(peers.notice, moved, journal.storage.isFull && fullDiskOf(node)),
      ...(origin !== undefined && { origin }),
      leader:
        leader === null ? null : { id: leader, address: entryOf(replica.configuration.nodes, leader) ?? '' },
      members,
      rev: store.rev,
      keys: store.size,
      watches,
      raft,
    };
  }
}

/** Whether a node that listens at one address is none that is reached at another: names, and any address, may be the same. */
function isElsewhere(known: string, listening: string): boolean {
  const [there, here] = [parseAddress(known), parseAddress(listening)];
  if (there.port !== here.port) return true;
  const isAny = here.host === '0.0.0.0' || here.host === '::';
  return !isAny && isIP(there.host) !== 0 && isIP(here.host) !== 0 && there.host !== here.host;
}

/** What a person has to mend, each in words of its own. */
function noticeOf(...notices: readonly (string | false | undefined)[]): string | undefined {
  return notices.filter(Boolean).join('; ') || undefined;
}

function fullDiskOf(node: string): string {
  return `${node} takes no changes, since its disk is full: free some space there, and it goes on by itself`;
}
