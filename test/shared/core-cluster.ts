import type { Core } from '../../src/node/host.ts';
import { configurationOf, NO_CONFIGURATION } from '../../src/raft/configuration.ts';
import type { Entry } from '../../src/raft/entry.ts';
import type { Envelope, Install, Message } from '../../src/raft/messages.ts';
import type { ReadGrant } from '../../src/raft/ready.ts';
import type { Beginning } from '../../src/raft/state.ts';
import { DEFAULT_TIMING, type Timing } from '../../src/raft/timing.ts';
import { CoreInvariants, entriesOf } from './core-invariants.ts';
import { BLANK, type Durable, ModelDisk, type ModelSnapshot, membersOf } from './model-disk.ts';

/** Makes the core of one node, as the wiring of a stage does. */
export type MakeCore = (beginning: Beginning, timing: Timing, random: () => number) => Core;

export interface CoreClusterOptions {
  readonly nodes: readonly string[];
  /** Those that vote at the beginning, where not all do; the others know of no cluster yet. */
  readonly members?: readonly string[];
  readonly make: MakeCore;
  /** What a node's disk holds when it starts for the first time. */
  readonly disks?: Readonly<Record<string, Durable>>;
  readonly timing?: Timing;
}

interface Node {
  readonly id: string;
  disk: ModelDisk;
  core: Core | undefined;
  /** Everything is synced at once, until a test takes that into its own hands. */
  isSyncing: boolean;
  applied: Entry[];
  /** The snapshot that is coming in, and how many of its pieces have come. */
  incoming: { readonly index: number; readonly term: number; pieces: number } | undefined;
  granted: ReadGrant[];
}

/** A snapshot travels in so many pieces. */
const PIECES = 3;

/** Messages that travel without end are a bug of their own. */
const MOST_DELIVERIES = 20_000;

/**
 * A cluster of cores without time, threads or chance: messages wait on directed links until a test delivers them,
 * disks forget in a crash what was not synced, and after every step all that must always hold is checked.
 */
export class CoreCluster {
  readonly timing: Timing;
  readonly invariants = new CoreInvariants();
  readonly #options: CoreClusterOptions;
  readonly #nodes = new Map<string, Node>();
  readonly #queues = new Map<string, Message[]>();
  readonly #cut = new Set<string>();
  /** Every snapshot that was ever made, by its index, and every entry that was ever applied. */
  readonly #snapshots = new Map<number, ModelSnapshot>();
  readonly #history: Entry[] = [];
  readonly #readsFrom = new Map<string, number>();
  #campaigns = 0;
  /** A snapshot that has come whole is on the disk only when the node's next turn begins, behind what has come for it. */
  installsLate = false;
  /** Called with every message that a node sends, delivered or not. */
  onSent: (from: string, envelope: Envelope) => void = () => {};

  constructor(options: CoreClusterOptions) {
    this.#options = options;
    this.timing = options.timing ?? DEFAULT_TIMING;
    for (const id of options.nodes) {
      const disk = new ModelDisk(options.disks?.[id] ?? BLANK);
      this.#nodes.set(id, {
        id,
        disk,
        core: undefined,
        isSyncing: true,
        applied: [],
        incoming: undefined,
        granted: [],
      });
    }
    for (const id of options.nodes) this.restart(id);
  }

  get ids(): readonly string[] {
    return this.#options.nodes;
  }

  isRunning(id: string): boolean {
    return this.#node(id).core !== undefined;
  }

  /** A running node's core. */
  core(id: string): Core {
    const { core } = this.#node(id);
    if (core === undefined) throw new Error(`${id} is down`);
    return core;
  }

  entries(id: string): readonly Entry[] {
    return entriesOf(this.core(id).state);
  }

  /** The terms of a log, in order. */
  terms(id: string): readonly number[] {
    return this.entries(id).map(({ term }) => term);
  }

  /** The commands that a node has applied since it started. */
  applied(id: string): readonly unknown[] {
    return this.#node(id).applied.map(({ command }) => command);
  }

  /** The reads that a node may answer. */
  granted(id: string): readonly ReadGrant[] {
    return this.#node(id).granted;
  }

  durable(id: string): Durable {
    return this.#node(id).disk.durable;
  }

  get leaders(): readonly string[] {
    return this.#running().flatMap(({ state }) => (state.role === 'leader' ? [state.id] : []));
  }

  #node(id: string): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  #running(): Core[] {
    return [...this.#nodes.values()].flatMap(({ core }) => core ?? []);
  }

  // What happens to a node.

  tick(id: string, count = 1): void {
    for (let done = 0; done < count; done += 1) {
      this.core(id).tick?.();
      this.#turn(id);
    }
  }

  tickAll(count = 1): void {
    for (let done = 0; done < count; done += 1)
      for (const id of this.ids) if (this.isRunning(id)) this.tick(id);
  }

  /** Ticks a node until it has lost its patience and asks to be elected. */
  timeOut(id: string): void {
    const { state } = this.core(id);
    const { term, role } = state;
    const campaigns = this.#campaigns;
    for (let ticks = 0; ticks <= 2 * this.timing.electionTicks; ticks += 1) {
      this.tick(id);
      if (state.role !== role || state.term !== term || this.#campaigns > campaigns) return;
    }
    throw new Error(`${id} waits for ever as a ${state.role}`);
  }

  /** A command that begins with `large` is so large that it travels alone while logs are compared. */
  propose(id: string, ...commands: string[]): number {
    const sizeOf = (command: string) => (command.startsWith('large') ? 5_000 : 64);
    const index = this.core(id).propose(commands.map(command => ({ command, size: sizeOf(command) })));
    this.#turn(id);
    return index;
  }

  read(id: string, number: number): void {
    this.#readsFrom.set(`${id} ${number}`, this.invariants.highestCommit);
    this.core(id).read?.(number);
    this.#turn(id);
  }

  transfer(id: string, to: string): void {
    this.core(id).transfer?.(to);
    this.#turn(id);
  }

  /** Asks a leader for other voters, or other nodes; the nodes that it has stay where they are. */
  change(id: string, voters: readonly string[], nodes: readonly string[], force = false): void {
    const listed = nodes.map(node => [node, `${node}:7001`]);
    const to = configurationOf({ nodes: Object.fromEntries(listed), voters });
    this.core(id).changeMembers?.(to, force);
    this.#turn(id);
  }

  /** A node compacts its log: a snapshot stands for all that it has applied, and so many entries stay before its end. */
  compact(id: string, keep = 0): void {
    const { state, snapshots } = this.core(id);
    const { handed: index, log } = state;
    const term = log.termAt(index) ?? 0;
    if (snapshots === undefined || index <= state.snapshot.index || !state.isBallotDurable) return;
    const from = Math.max(log.base.index, index - keep);
    const base = { index: from, term: log.termAt(from) ?? 0 };
    const snapshot = { index, term, configuration: state.configurationAt(index), base };
    this.#snapshots.set(index, snapshot);
    this.#node(id).disk.keep(snapshot);
    snapshots.compact(snapshot, from);
    this.#turn(id);
  }

  linkUp(id: string, peer: string): void {
    this.core(id).linkUp(peer);
    this.#turn(id);
  }

  /** Hands a node a message, wherever it comes from. */
  step(from: string, to: string, message: Message): void {
    this.core(to).step(from, message);
    this.#turn(to);
  }

  /** From now on the node's disk syncs only when told to. */
  holdDisk(id: string): void {
    this.#node(id).isSyncing = false;
  }

  /** Syncs the oldest batches, or all, and holds on to the rest. */
  sync(id: string, batches?: number): void {
    this.#sync(this.#node(id), batches);
    this.#turn(id);
  }

  /** From now on the node's disk syncs at once. */
  releaseDisk(id: string): void {
    this.#node(id).isSyncing = true;
    this.#turn(id);
  }

  crash(id: string): void {
    const node = this.#node(id);
    node.core = undefined;
    node.disk.crash();
    node.disk.recover();
    node.applied = [];
    node.incoming = undefined;
    node.granted = [];
    this.invariants.forget(id, this.#disks());
    for (const key of this.#readsFrom.keys()) if (key.startsWith(`${id} `)) this.#readsFrom.delete(key);
    for (const other of this.ids) this.#queues.delete(`${other} ${id}`);
  }

  /** A node goes, and its disk with it: its next start will find an empty one. */
  wipe(id: string): void {
    this.crash(id);
    this.#node(id).disk = new ModelDisk(BLANK);
    this.invariants.forget(id, this.#disks());
  }

  /** Starts a node from what its disk holds; its links come up. */
  restart(id: string): void {
    const node = this.#node(id);
    const { nodes, members = nodes, make } = this.#options;
    const base = { index: 0, term: 0 };
    const configuration = members.includes(id) ? membersOf(members) : NO_CONFIGURATION;
    const { snapshot, ...durable } = node.disk.durable;
    const beginning = {
      id,
      configuration,
      base,
      ...durable,
      ...(snapshot && { ...partsOf(snapshot), snapshot }),
    };
    node.applied = this.#history.slice(0, snapshot?.index ?? 0);
    // Patience differs from node to node, in their order, and never changes: no chance at all.
    const fraction = (nodes.indexOf(id) + 1) / (nodes.length + 1);
    node.core = make(beginning, this.timing, () => fraction);
    this.#turn(id);
    for (const other of nodes) {
      if (other === id || this.#cut.has(`${other} ${id}`)) continue;
      if (this.isRunning(other)) this.linkUp(other, id);
    }
  }

  // What happens to messages.

  /** Messages on their way over a link, or from a node to anyone. */
  queue(from: string, to?: string): readonly Message[] {
    if (to !== undefined) return this.#queues.get(`${from} ${to}`) ?? [];
    return this.ids.flatMap(id => this.#queues.get(`${from} ${id}`) ?? []);
  }

  /** Delivers the oldest messages of a link, or all that are on it now; returns how many there were. */
  deliver(from: string, to: string, count = Number.POSITIVE_INFINITY): number {
    const messages = this.#queues.get(`${from} ${to}`)?.splice(0, count) ?? [];
    for (const message of messages) if (this.isRunning(to)) this.step(from, to, message);
    return messages.length;
  }

  /** Delivers everything that is on its way now, and nothing that this brings about; returns how much. */
  deliverRound(): number {
    const counts = this.#links().map(([from, to]) => [from, to, this.queue(from, to).length] as const);
    let delivered = 0;
    for (const [from, to, count] of counts) if (count > 0) delivered += this.deliver(from, to, count);
    return delivered;
  }

  /** Delivers everything, and what this brings about, until nothing travels any more; returns how many rounds it took. */
  deliverAll(): number {
    let delivered = 0;
    for (let rounds = 0; ; rounds += 1) {
      const count = this.deliverRound();
      if (count === 0) return rounds;
      delivered += count;
      if (delivered > MOST_DELIVERIES) throw new Error('messages travel without end');
    }
  }

  /** Loses what is on a link; returns it. */
  drop(from: string, to: string): readonly Message[] {
    const messages = this.queue(from, to);
    this.#queues.delete(`${from} ${to}`);
    return messages;
  }

  /** Every message on a link will arrive twice, the second time after all the others. */
  duplicate(from: string, to: string): void {
    this.#queues.set(`${from} ${to}`, [...this.queue(from, to), ...this.queue(from, to)]);
  }

  /** What is on a link will arrive in the opposite order. */
  reverse(from: string, to: string): void {
    this.#queues.set(`${from} ${to}`, [...this.queue(from, to)].reverse());
  }

  /** Cuts one direction of a link: what is sent is lost, and nobody is told. */
  cutOneWay(from: string, to: string): void {
    this.#cut.add(`${from} ${to}`);
    this.#queues.delete(`${from} ${to}`);
  }

  cut(a: string, b: string): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  isolate(id: string): void {
    for (const other of this.ids) if (other !== id) this.cut(id, other);
  }

  /** Only nodes of one group reach each other. */
  partition(...groups: readonly (readonly string[])[]): void {
    this.heal();
    for (const [from, to] of this.#links()) {
      if (!groups.some(group => group.includes(from) && group.includes(to))) this.cutOneWay(from, to);
    }
  }

  /** All links work again, and the nodes are told which came up. */
  heal(): void {
    const healed = [...this.#cut].map(key => key.split(' ') as [string, string]);
    this.#cut.clear();
    for (const [from, to] of healed) if (this.isRunning(from) && this.isRunning(to)) this.linkUp(from, to);
  }

  #links(): [string, string][] {
    return this.ids.flatMap(from =>
      this.ids.filter(to => to !== from).map(to => [from, to] as [string, string]),
    );
  }

  // What a host does.

  #turn(id: string): void {
    const node = this.#node(id);
    const core = this.core(id);
    this.#install(node);
    for (let isDone = false; !isDone; ) {
      const ready = core.ready();
      for (const envelope of ready.messages) {
        this.invariants.checkSent(id, envelope);
        this.#send(id, envelope);
      }
      const isSaving =
        ready.ballot !== undefined ||
        ready.begins !== undefined ||
        ready.entries.length > 0 ||
        ready.commit !== undefined;
      if (isSaving || ready.answers.length > 0) node.disk.write(ready);
      this.#check(core);
      for (const entry of ready.committed) {
        this.invariants.checkApplied(id, entry);
        node.applied.push(entry);
        this.#history[entry.index - 1] = entry;
      }
      for (const piece of ready.pieces) this.#take(node, piece);
      if (!this.installsLate) this.#install(node);
      for (const grant of ready.reads) this.#grant(node, grant);
      const isSynced = !node.isSyncing || !node.disk.isPending;
      isDone = isSynced && ready.pieces.length === 0;
      if (!isSynced) this.#sync(node);
    }
  }

  #take(node: Node, { lastIndex: index, lastTerm: term, offset }: Install): void {
    const current = node.incoming?.index === index ? node.incoming : { index, term, pieces: 0 };
    if (offset === current.pieces && offset < PIECES) current.pieces += 1;
    node.incoming = current;
    this.core(node.id).snapshots?.received(current, current.pieces);
  }

  /** A snapshot that has come whole takes the place of what the node has, unless that has overtaken it. */
  #install(node: Node): void {
    const { incoming } = node;
    const { state, snapshots } = this.core(node.id);
    if (incoming?.pieces !== PIECES || !state.isBallotDurable) return;
    node.incoming = undefined;
    const snapshot = this.#snapshots.get(incoming.index);
    if (snapshot === undefined || snapshots?.wants(incoming) !== true) return;
    node.disk.keep(snapshot);
    if (snapshots.restore(snapshot, snapshot.configuration)) node.disk.committed(snapshot.index);
    node.applied = this.#history.slice(0, snapshot.index);
  }

  #sync(node: Node, batches?: number): void {
    const { mark, answers } = node.disk.sync(batches);
    for (const envelope of answers) {
      this.invariants.checkAnswered(node.id, envelope, node.disk.durable);
      this.#send(node.id, envelope);
    }
    this.core(node.id).stored(mark);
  }

  #check({ state }: Core): void {
    const running = this.#running().map(core => core.state);
    this.invariants.check(state, running, this.#disks());
  }

  #disks(): ReadonlyMap<string, Durable> {
    return new Map([...this.#nodes.values()].map(({ id, disk }) => [id, disk.durable]));
  }

  #grant(node: Node, grant: ReadGrant): void {
    const asked = this.#readsFrom.get(`${node.id} ${grant.number}`);
    // A grant may come twice; the one that a retry made pointless belongs to no read any more.
    if (asked === undefined) return;
    if (grant.index < asked)
      throw new Error(`linearizable reads are broken: ${node.id} may answer at ${grant.index}, not ${asked}`);
    node.granted.push(grant);
  }

  #send(from: string, envelope: Envelope): void {
    this.onSent(from, envelope);
    if (envelope.message.type === 'request-vote') this.#campaigns += 1;
    const key = `${from} ${envelope.to}`;
    if (this.#cut.has(key)) return;
    const message = filled(envelope.message);
    const queue = this.#queues.get(key);
    if (queue === undefined) this.#queues.set(key, [message]);
    else queue.push(message);
  }
}

/** What a host fills in before a piece of a snapshot goes. */
function filled(message: Message): Message {
  if (message.type !== 'install') return message;
  const piece = message.offset < PIECES ? [`piece ${message.offset + 1} of ${PIECES}`] : [];
  return { ...message, piece, bytes: PIECES, hash: `${message.lastIndex}` };
}

function partsOf({ configuration, base }: ModelSnapshot): Pick<ModelSnapshot, 'configuration' | 'base'> {
  return { configuration, base };
}
