import type { Ballot } from '../raft/entry.ts';
import { formatAddress, type NodeAddress, parseAddress } from '../wire/address.ts';
import { refuse } from '../wire/errors.ts';
import { type NodeRequest, OPS, type Request, type RequestOf } from '../wire/ops.ts';
import { type Outcome, outcomeOf } from '../wire/reply.ts';
import { answerAboutNode } from './about.ts';
import { askNode } from './ask.ts';
import { initialiseOthers } from './initialisation.ts';
import { type OpenedJournal, openJournal } from './journal-open.ts';
import type { AskStatus } from './membership.ts';
import type { NodeOptions, RunningNode } from './options.ts';
import { clusterOf, type Dial } from './peers.ts';
import { raftCodec } from './raft-codec.ts';
import type { RaftStage } from './replica.ts';
import { LineServer, type Responder, type Service } from './server.ts';
import { type Membership, Standing } from './standing.ts';
import { systemClock } from './system-clock.ts';
import { dialOf, listen } from './transports.ts';

/** Milliseconds that a shutdown waits for changes and reads under way. */
const PATIENCE = 1_500;

/** Milliseconds that a shutdown waits for another leader. */
const HAND_OVER = 1_500;

const FIRST_STAGE_WITH_ELECTIONS = OPS['transfer-leader'].stage;

/** A node with its sockets and its files; until it is part of a cluster, it waits for `init`. */
class RaftNode implements Service {
  readonly stage: number;
  readonly #options: NodeOptions;
  #self: NodeAddress;
  readonly #journal: OpenedJournal;
  readonly #standing: Standing;
  readonly #server: LineServer;
  #isInitialising = false;

  constructor(options: NodeOptions, stage: RaftStage, journal: OpenedJournal, dial: Dial) {
    this.stage = stage.number;
    this.#options = options;
    this.#journal = journal;
    this.#self = { id: options.id, address: formatAddress(options.listen) };
    const { id, timing, limits, history } = options;
    const ports = { dial, codec: raftCodec, ask: askStatus, clock: systemClock, random: Math.random };
    this.#standing = new Standing(
      { id, stage, journal, ...ports, timing, limits, history },
      this.#self.address,
    );
    this.#server = new LineServer(this, options);
    this.#server.peers = {
      accept: (hello, connection) => this.#standing.accept(hello, connection, !this.#isInitialising),
    };
  }

  async start(): Promise<RunningNode> {
    const opened = await listen(this.#server, this.#options);
    this.#self = { ...this.#self, address: opened.address };
    try {
      this.#standing.start(opened.address, this.#options.nodes);
    } catch (error) {
      // Or it would go on answering, as a node that it is not.
      await this.#disconnect();
      throw error;
    }
    return {
      ...opened,
      close: () => this.#close(),
      onBelonging: hear => this.#standing.onBelonging(hear),
    };
  }

  onDurable(mark: number): void {
    this.#standing.onDurable(mark);
  }

  get #membership(): Membership | undefined {
    return this.#standing.membership;
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

  /** Answers what other nodes have asked: closing the connections first would make a loss of each answer on its way. */
  async #settle(): Promise<void> {
    const end = performance.now() + PATIENCE;
    for (let isOwing = true; isOwing && performance.now() < end; ) {
      isOwing = this.#membership?.replica.isOwing === true;
      // Once more when nothing is owed any longer: the last answers have yet to leave.
      await new Promise(resolve => setTimeout(resolve, 10));
    }
  }

  async #close(): Promise<void> {
    await this.#resign();
    await this.#settle();
    // The replica works on while replies are under way, and answers what it cannot finish in time.
    const late = setTimeout(() => this.#membership?.replica.giveUp(), PATIENCE);
    await this.#disconnect();
    clearTimeout(late);
    await this.#journal.storage.close();
  }

  /** Closes the connections, those of clients first. */
  async #disconnect(): Promise<void> {
    await this.#server.close();
    this.#membership?.replica.stop();
    this.#membership?.peers.close();
  }

  handle(request: Request, responder: Responder): void {
    const replica = this.#membership?.replica;
    if (request.op === 'init') {
      void this.#init(request).then(
        outcome => responder.answer(outcome),
        error => responder.answer(outcomeOf(error)),
      );
    } else if (OPS[request.op].kind === 'node') {
      responder.answer(answerAboutNode(request as NodeRequest, this.#standing.state, this.#server));
    } else if (replica === undefined) {
      responder.answer(this.#standing.notInitialised());
    } else {
      replica.handle(request, responder);
    }
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
        this.#standing.begin(nodes);
      } finally {
        this.#isInitialising = false;
      }
    }
    return { ok: true, rev: 0, cluster, members: nodes.map(node => ({ ...node, role: 'voter' })) };
  }
}

/** Asks a node for its status over a connection of its own. */
const askStatus: AskStatus = (node, patience, done) => {
  askNode(node, { op: 'status' }, patience).then(done, error => done(outcomeOf(error)));
};

/** A stage whose leader is given goes on neither from the log of another leader nor from that of elected ones. */
function refuseOtherLeaders(data: string, { number, leader }: RaftStage, { term, vote }: Ballot): void {
  if (leader === undefined) return;
  const remedy = `run stage ${FIRST_STAGE_WITH_ELECTIONS} or later on it`;
  if (term > 1) {
    const words = `${data} has held elections (it is in term ${term}), and stage ${number} is given its leader`;
    refuse('BAD_REQUEST', `${words}: ${remedy}`);
  }
  if (vote !== null && vote !== leader) {
    const words = `${data} has ${vote} as its leader for good, not ${leader}`;
    refuse('BAD_REQUEST', `${words}: give --nodes with ${vote} first, or ${remedy}`);
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
    const { snapshot, ballot } = journal.recovered;
    if (snapshot !== undefined && stage.number < OPS.snapshot.stage) {
      const words = `${data} begins with a snapshot, which stage ${stage.number} cannot read`;
      refuse('BAD_REQUEST', `${words}: run stage ${OPS.snapshot.stage} or later on it`);
    }
    refuseOtherLeaders(data, stage, ballot);
    node = new RaftNode(options, stage, journal, await dialOf(options));
    return await node.start();
  } catch (error) {
    await journal.storage.close();
    throw error;
  }
}
