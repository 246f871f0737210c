import { randomInt } from 'node:crypto';
import { NO_HISTORY } from '../../src/kv/history.ts';
import { answerLocally } from '../../src/kv/queries.ts';
import { Store } from '../../src/kv/store.ts';
import { answerAboutNode, type NodeState } from '../../src/node/about.ts';
import { Forwarding, type ForwardMessage, isForwardMessage } from '../../src/node/forwarding.ts';
import type { NodeOptions, RunningNode } from '../../src/node/options.ts';
import { clusterOf, type Dial, Peers } from '../../src/node/peers.ts';
import { LineServer, type Responder, type Service } from '../../src/node/server.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { dialOf, listen } from '../../src/node/transports.ts';
import { notLeader } from '../../src/node/waiting.ts';
import type { Codec, TransportListener } from '../../src/ports/transport.ts';
import type { NodeAddress } from '../../src/wire/address.ts';
import { refuse } from '../../src/wire/errors.ts';
import type { KeyChange, ReadRequest, Request } from '../../src/wire/ops.ts';
import { failed } from '../../src/wire/reply.ts';
import { checkRequest } from '../../src/wire/request.ts';
import { type NaiveMessage, NaiveReplication } from './naive-replication.ts';

type Message = NaiveMessage | ForwardMessage;

/** Milliseconds that the leader waits for a majority. */
const PATIENCE = 2_000;

const codec: Codec<Message> = {
  encode: message => ({ header: { ...message }, lines: [] }),
  decode(header) {
    if (isForwardMessage(header)) return header;
    const { type, number, command } = header;
    if (!Number.isSafeInteger(number)) throw new Error('a message has a number');
    if (type === 'replicated') return { type, number: number as number };
    if (type !== 'replicate' || typeof command !== 'object') throw new Error('there is no such message');
    const checked = checkRequest({ ...command }, 2);
    if (checked.op !== 'set' && checked.op !== 'remove') throw new Error(`${checked.op} changes nothing`);
    return { type, number: number as number, command: checked };
  },
};

/** A node of a cluster whose first node leads for ever. Reads are of the node asked, and say so. */
class NaiveNode implements Service, TransportListener<Message> {
  readonly stage: number;
  readonly #self: NodeAddress;
  readonly #nodes: readonly NodeAddress[];
  readonly #leader: NodeAddress;
  readonly #cluster: string;
  readonly #store = new Store(undefined, NO_HISTORY);
  readonly #server: LineServer;
  readonly #peers: Peers<Message>;
  readonly #forwarding: Forwarding;
  readonly #replication: NaiveReplication;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(
    options: NodeOptions,
    nodes: readonly NodeAddress[],
    self: NodeAddress,
    dial: Dial,
    stage: number,
  ) {
    this.stage = stage;
    this.#self = self;
    this.#nodes = nodes;
    this.#leader = nodes[0] ?? self;
    this.#cluster = clusterOf(nodes);
    this.#server = new LineServer(this, options);
    this.#peers = new Peers<Message>({ id: self.id, cluster: this.#cluster, dial }, codec, this);
    this.#server.peers = this.#peers;
    this.#forwarding = new Forwarding(this.#peers, this, systemClock, randomInt(2 ** 47));
    const others = nodes.filter(node => node.id !== self.id).map(node => node.id);
    this.#replication = new NaiveReplication({
      store: this.#store,
      followers: this.#leads ? others : [],
      send: (to, message) => this.#peers.send(to, message),
    });
  }

  get #leads(): boolean {
    return this.#leader.id === this.#self.id;
  }

  async start(options: NodeOptions): Promise<RunningNode> {
    const opened = await listen(this.#server, options);
    for (const node of this.#nodes) if (node.id !== this.#self.id) this.#peers.open(node);
    this.#sweeper = setInterval(() => this.#forwarding.sweep(this.#leader.id), 1_000).unref();
    return { ...opened, close: () => this.#close() };
  }

  async #close(): Promise<void> {
    clearInterval(this.#sweeper);
    await this.#server.close();
    this.#peers.close();
  }

  handle(request: Request, responder: Responder): void {
    switch (request.op) {
      case 'get':
      case 'list':
        this.#read(request, responder);
        return;
      case 'set':
      case 'remove':
        this.#change(request, responder);
        return;
      default:
        responder.answer(answerAboutNode(request, this.#state(), this.#server));
    }
  }

  onMessage(from: string, message: Message): void {
    switch (message.type) {
      case 'replicate':
      case 'replicated':
        this.#replication.step(from, message);
        return;
      case 'forward':
      case 'forwarded':
        this.#forwarding.step(from, message);
    }
  }

  /** What a node missed while it was away stays missed. */
  onLinkUp(_to: string): void {}

  onLinkDown(to: string): void {
    this.#replication.lose(to);
    this.#forwarding.linkDown(to);
  }

  #read(request: ReadRequest, responder: Responder): void {
    responder.answer(answerLocally(this.#store, request));
  }

  #change(request: KeyChange, responder: Responder): void {
    if (this.#leads) {
      const { id, timeout, forward, ...command } = request;
      const number = this.#replication.propose(command, outcome => responder.answer(outcome));
      if (number === undefined) return;
      const patience = Math.min(PATIENCE, responder.deadline - performance.now());
      setTimeout(() => this.#replication.giveUp(number), patience).unref();
    } else if (request.forward === false) {
      responder.answer(failed(notLeader(this.#leader)));
    } else {
      this.#forwarding.forward(request, responder, this.#leader);
    }
  }

  #state(): NodeState {
    return {
      node: this.#self.id,
      address: this.#self.address,
      cluster: this.#cluster,
      stage: this.stage,
      role: this.#leads ? 'leader' : 'follower',
      leader: this.#leader,
      members: this.#nodes.map(node => {
        const active = node.id === this.#self.id || this.#peers.isUp(node.id);
        return { ...node, role: 'voter', ...(this.#leads ? { active } : {}) };
      }),
      rev: this.#store.rev,
      keys: this.#store.size,
    };
  }
}

/** Starts a node of stage 2; the first of `nodes` leads. Stage 3, which adds only a transport, runs the same node. */
export async function start(options: NodeOptions, stage = 2): Promise<RunningNode> {
  const { id, nodes } = options;
  if (nodes === undefined)
    refuse('BAD_REQUEST', `stage ${stage} needs --nodes: every node of the cluster, the leader first`);
  const self = nodes.find(node => node.id === id);
  if (self === undefined)
    refuse('BAD_REQUEST', `${id} is not in --nodes ${nodes.map(node => node.id).join(', ')}`);
  return new NaiveNode(options, nodes, self, await dialOf(options), stage).start(options);
}
