import type { Recovered } from '../ports/storage.ts';
import { formatAddress, type NodeAddress, parseAddress } from '../wire/address.ts';
import { failure, refuse } from '../wire/errors.ts';
import { type NodeRequest, OPS, type Request, type RequestOf } from '../wire/ops.ts';
import { failed, type Outcome, outcomeOf } from '../wire/reply.ts';
import { answerAboutNode, type NodeState } from './about.ts';
import { askNode } from './ask.ts';
import { writeFirstEntry } from './first-entry.ts';
import { type Acquaintance, misdialled } from './handshake.ts';
import { initialiseOthers } from './initialisation.ts';
import { type OpenedJournal, openJournal } from './journal-open.ts';
import type { NodeOptions, RunningNode } from './options.ts';
import { clusterOf, type Dial, Peers } from './peers.ts';
import { type NodeMessage, raftCodec } from './raft-codec.ts';
import { type RaftStage, Replica } from './replica.ts';
import { LineServer, type Responder, type Service } from './server.ts';
import { systemClock } from './system-clock.ts';
import { dialOf, listen } from './transports.ts';

/** Milliseconds that a shutdown waits for changes and reads under way. */
const PATIENCE = 1_500;

/** Milliseconds that a shutdown waits for another leader. */
const HAND_OVER = 1_500;

/** What a node has once it is part of a cluster. */
interface Membership {
  readonly cluster: string;
  readonly replica: Replica;
  readonly peers: Peers<NodeMessage>;
}

/** What a node knows of itself before it is a member of anything. */
const NOBODY = { member: 0, latest: 0, settled: 0, isRemoved: false, contacts: {}, instances: {} };

/** A node with its sockets and its files; until it is part of a cluster, it waits for `init`. */
class RaftNode implements Service {
  readonly stage: number;
  readonly #options: NodeOptions;
  readonly #raft: RaftStage;
  #self: NodeAddress;
  readonly #journal: OpenedJournal;
  readonly #dial: Dial;
  readonly #server: LineServer;
  #membership: Membership | undefined;
  #isInitialising = false;

  constructor(options: NodeOptions, stage: RaftStage, journal: OpenedJournal, dial: Dial) {
    this.stage = stage.number;
    this.#options = options;
    this.#raft = stage;
    this.#journal = journal;
    this.#dial = dial;
    this.#self = { id: options.id, address: formatAddress(options.listen) };
    this.#server = new LineServer(this, options);
    this.#server.peers = {
      accept: (hello, connection) => {
        if (this.#membership === undefined) this.#beFound(hello);
        return this.#membership?.peers.accept(hello, connection) ?? { outcome: this.#notInitialised() };
      },
    };
  }

  async start(): Promise<RunningNode> {
    const { nodes } = this.#options;
    const { recovered, cluster } = this.#journal;
    const opened = await listen(this.#server, this.#options);
    this.#self = { ...this.#self, address: opened.address };
    if (recovered.entries.length > 0 || recovered.snapshot !== undefined) this.#join(recovered, cluster);
    else if (nodes !== undefined) this.#begin(nodes);
    return { ...opened, close: () => this.#close() };
  }

  onDurable(mark: number): void {
    this.#membership?.replica.onDurable(mark);
  }

  #begin(nodes: readonly NodeAddress[]): void {
    const { storage, recovered, join } = this.#journal;
    const begun = writeFirstEntry(storage, recovered.ballot, nodes);
    join(clusterOf(nodes));
    this.#join(begun, clusterOf(nodes));
  }

  /**
   * A member of a cluster calls this node, which waits: it was added there, if the caller knows it by its data
   * directory; or it has begun and has nothing yet. Then it is a member with an empty log, and is sent the rest.
   */
  #beFound(hello: Readonly<Record<string, unknown>>): void {
    const { recovered, instance, join, cluster: known } = this.#journal;
    const { cluster, expects } = hello;
    if (typeof cluster !== 'string' || this.stage < 8 || this.#isInitialising) return;
    if (expects !== instance && cluster !== known) return;
    const acquaintance = { ...NOBODY, address: this.#self.address, instance };
    if (misdialled(hello, { id: this.#self.id, cluster, acquaintance }) !== undefined) return;
    join(cluster);
    this.#join(recovered, cluster);
  }

  #acquaintance(replica: Replica): Acquaintance {
    const { state } = replica.core;
    const { instances = {} } = state.configuration;
    return {
      address: state.configuration.nodes[this.#self.id] ?? this.#self.address,
      member: state.memberSince,
      latest: state.configurationIndex,
      settled: state.settledIndex,
      isRemoved: state.isRemoved,
      contacts: state.contacts,
      instance: this.#journal.instance,
      instances,
    };
  }

  #join(recovered: Recovered, known: string | null): void {
    const { id, timing, limits } = this.#options;
    const replica = new Replica({
      id,
      stage: this.#raft,
      recovered,
      store: this.#journal.state,
      storage: this.#journal.storage,
      transport: {
        send: (to, message) => peers.send(to, message),
        isUp: to => peers.isUp(to),
      },
      clock: systemClock,
      random: Math.random,
      ask: (node, patience) => askNode(node, { op: 'status' }, patience),
      onContacts: () => {
        if (this.stage >= 8) follow();
      },
      ...(known !== null && { cluster: known }),
      ...(timing && { timing }),
      ...(limits && { limits }),
    });
    const nodes = Object.entries(replica.configuration.nodes).map(([node, address]) => ({
      id: node,
      address,
    }));
    const cluster = known ?? clusterOf(nodes);
    const dynamic = {
      acquaintance: () => this.#acquaintance(replica),
      onDismissed: () => replica.onDismissed(),
    };
    const peers = new Peers(
      { id, cluster, dial: this.#dial, ...(this.stage >= 8 && dynamic) },
      raftCodec,
      replica,
    );
    const follow = () => {
      const { isRemoved, contacts } = replica.core.state;
      peers.follow(isRemoved ? {} : contacts);
    };
    this.#membership = { cluster, replica, peers };
    follow();
  }

  /** A leader that is told to stop hands over first, so that nobody has to find out by its silence; bounded in time. */
  async #resign(): Promise<void> {
    const replica = this.#membership?.replica;
    if (replica?.resign() !== true) return;
    const { core } = replica;
    const { state } = core;
    const end = performance.now() + HAND_OVER;
    while (performance.now() < end) {
      if (state.role === 'leader' ? core.isHandingOver !== true : state.leader !== null) return;
      await new Promise(resolve => setTimeout(resolve, 10));
    }
  }

  async #close(): Promise<void> {
    await this.#resign();
    // The replica works on while replies are under way, and answers what it cannot finish in time.
    const late = setTimeout(() => this.#membership?.replica.giveUp(), PATIENCE);
    await this.#server.close();
    clearTimeout(late);
    this.#membership?.replica.stop();
    this.#membership?.peers.close();
    await this.#journal.storage.close();
  }

  handle(request: Request, responder: Responder): void {
    const replica = this.#membership?.replica;
    if (request.op === 'init') {
      void this.#init(request).then(
        outcome => responder.answer(outcome),
        error => responder.answer(outcomeOf(error)),
      );
    } else if (OPS[request.op].kind === 'node') {
      responder.answer(answerAboutNode(request as NodeRequest, this.#state(), this.#server));
    } else if (replica === undefined) {
      responder.answer(this.#notInitialised());
    } else {
      replica.handle(request, responder);
    }
  }

  #notInitialised(): Outcome {
    const words = `${this.#self.id} waits for a cluster: send init with the list of its nodes`;
    return failed(failure('NOT_INITIALISED', words));
  }

  async #init({ nodes, forward }: RequestOf<'init'>): Promise<Outcome> {
    const { id, address } = this.#self;
    const cluster = clusterOf(nodes);
    const own = nodes.find(node => node.id === id);
    if (own !== undefined && parseAddress(own.address).port !== parseAddress(address).port) {
      refuse('BAD_REQUEST', `${id} listens on ${address}, but the list says ${own.address}; mend the list`);
    }
    if (own === undefined)
      refuse('BAD_REQUEST', `this is ${id}, which the list leaves out; add ${id}=${address}`);
    if (this.#membership !== undefined && (forward !== false || this.#membership.cluster !== cluster)) {
      refuse('ALREADY_INITIALISED', `${id} belongs to cluster ${this.#membership.cluster} already`);
    }
    if (this.#isInitialising)
      refuse('CHANGE_IN_PROGRESS', `${id} is initialising a cluster already; wait for its answer`);
    if (this.#membership === undefined) {
      this.#isInitialising = true;
      try {
        const others = nodes.filter(node => node.id !== id);
        if (forward !== false) await initialiseOthers(others, nodes, cluster);
        this.#begin(nodes);
      } finally {
        this.#isInitialising = false;
      }
    }
    return { ok: true, rev: 0, cluster, members: nodes.map(node => ({ ...node, role: 'voter' })) };
  }

  #state(): NodeState {
    const { id: node, address } = this.#self;
    const about = { node, address, stage: this.stage, instance: this.#journal.instance };
    if (this.#membership === undefined) {
      const nothing = { cluster: null, leader: null, members: [], rev: 0, keys: 0 };
      return { ...about, ...nothing, role: 'uninitialised' };
    }
    const { cluster, replica } = this.#membership;
    const { role, leader, isRemoved, mayStand } = replica.core.state;
    const { store, members, watches, facts: raft } = replica;
    return {
      ...about,
      cluster,
      role: role === 'follower' && !mayStand ? 'learner' : role === 'pre-candidate' ? 'candidate' : role,
      removed: isRemoved,
      leader: leader === null ? null : { id: leader, address: replica.configuration.nodes[leader] ?? '' },
      members,
      rev: store.rev,
      keys: store.size,
      watches,
      raft,
    };
  }
}

/** Starts a node of a stage that keeps a log, from its data directory. */
export async function startRaftNode(options: NodeOptions, stage: RaftStage): Promise<RunningNode> {
  const { id, nodes, data } = options;
  if (data === undefined)
    refuse('BAD_REQUEST', `stage ${stage.number} keeps a log: name its folder with --data DIR`);
  if (nodes !== undefined && !nodes.some(node => node.id === id)) {
    refuse('BAD_REQUEST', `${id} is not in --nodes ${nodes.map(node => node.id).join(', ')}`);
  }
  let node: RaftNode | undefined;
  const journal = await openJournal(
    data,
    { node: id, ...(nodes === undefined ? {} : { cluster: clusterOf(nodes) }) },
    { onDurable: mark => node?.onDurable(mark) },
  );
  try {
    const { snapshot } = journal.recovered;
    if (snapshot !== undefined && stage.number < OPS.snapshot.stage) {
      const words = `${data} begins with a snapshot, which stage ${stage.number} cannot read`;
      refuse('BAD_REQUEST', `${words}: run stage ${OPS.snapshot.stage} or later on it`);
    }
    node = new RaftNode(options, stage, journal, await dialOf(options));
    return await node.start();
  } catch (error) {
    await journal.storage.close();
    throw error;
  }
}
