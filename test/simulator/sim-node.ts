import type { HistoryBounds } from '../../src/kv/history.ts';
import { answerAboutNode } from '../../src/node/about.ts';
import type { Client } from '../../src/node/client.ts';
import type { CompactionLimits } from '../../src/node/compaction.ts';
import { openLocked } from '../../src/node/journal-open.ts';
import type { AskStatus } from '../../src/node/membership.ts';
import { clusterOf, type Dial, type PeerConnection, type PeerSession } from '../../src/node/peers.ts';
import type { NodeMessage } from '../../src/node/raft-codec.ts';
import type { Replica } from '../../src/node/replica.ts';
import type { LineServer, Responder } from '../../src/node/server.ts';
import { Standing } from '../../src/node/standing.ts';
import type { NodeAddress } from '../../src/wire/address.ts';
import { failure } from '../../src/wire/errors.ts';
import { mayChange, OPS, type Request } from '../../src/wire/ops.ts';
import { failed, type Outcome, outcomeOf } from '../../src/wire/reply.ts';
import { Raft } from '../../stages/8-membership/raft.ts';
import type { Dice } from './dice.ts';
import { DurableLog } from './durable-log.ts';
import { EventLoop } from './event-loop.ts';
import { SimDisk } from './sim-disk.ts';
import { SimFile } from './sim-file.ts';
import { type LinkEnd, simCodec } from './sim-link.ts';
import type { Timeline } from './timeline.ts';

const DATA = '/data';
/** Milliseconds between two looks at requests past their deadline, as a server's. */
const SWEEP = 50;
/** What a server tells of its connections. */
const SERVER = { connections: 0 } as LineServer;

/** What happens at a node that others want to know of. */
export interface NodeEvents {
  onBegin(node: SimNode): void;
  /** After each callback of its event loop. */
  onRan(node: SimNode): void;
  /** Its code threw. */
  onThrow(node: SimNode, error: unknown): void;
  /** It said that it cannot go on. */
  onFatal(node: SimNode, error: Error): void;
  onDurable(node: SimNode): void;
}

export interface SimNodeOptions extends NodeAddress {
  /** The nodes that the cluster begins with, this one among them; a node that is given none waits. */
  readonly nodes: readonly NodeAddress[] | undefined;
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly clockRate: number;
  /** Bytes of a segment of the log, and of the file of votes. */
  readonly segmentBytes: number;
  readonly ballotBytes: number;
  readonly limits: CompactionLimits | undefined;
  readonly history: HistoryBounds | undefined;
  readonly dial: (node: SimNode) => Dial;
  /** Asks another node for its status. */
  readonly ask: (node: SimNode) => AskStatus;
  readonly events: NodeEvents;
}

/** A request under way, as the server of a node keeps it. */
interface Asked extends Responder {
  readonly request: Request;
}

/** What ends with the process. */
export interface SimProcess {
  readonly loop: EventLoop;
  readonly standing: Standing;
  readonly asked: Set<Asked>;
  /** In which the messages of each other node come in. */
  readonly sessions: Map<string, PeerSession>;
}

/** One machine: a disk that stays, and a process of the production code that comes and goes. */
export class SimNode implements LinkEnd {
  readonly id: string;
  readonly address: string;
  readonly disk: SimDisk;
  durable: DurableLog;
  /** What the disk held for certain that was lost. */
  lost: DurableLog | undefined;
  process: SimProcess | undefined;
  life = 0;
  /** Its machine is gone for good. */
  isGone = false;
  /** Its disk was lost: what it has now is not what it had. */
  isLost = false;
  readonly #options: SimNodeOptions;

  constructor(options: SimNodeOptions) {
    this.id = options.id;
    this.address = options.address;
    this.#options = options;
    const { timeline, dice, events } = options;
    this.disk = new SimDisk({
      dice: dice.fork(),
      after: (delay, run) => void timeline.after(delay, run),
      onDurable: () => {
        this.durable.update();
        events.onDurable(this);
      },
    });
    this.durable = new DurableLog(this.disk, DATA);
  }

  /** What the node has promised, on whatever disk: that of before if that was lost. */
  get promised(): DurableLog {
    return this.lost ?? this.durable;
  }

  /** Whether this node's disk says for certain which disk another has. */
  hasMet({ id }: SimNode): boolean {
    const file = this.disk.find(`${DATA}/node.json`);
    if (!(file instanceof SimFile)) return false;
    const { peers = {} } = JSON.parse(file.syncedText(9)) as { peers?: Readonly<Record<string, string>> };
    return peers[id] !== undefined || this.raft?.state.settledConfiguration.instances?.[id] !== undefined;
  }

  get isRunning(): boolean {
    return this.process !== undefined;
  }

  get replica(): Replica | undefined {
    return this.process?.standing.membership?.replica;
  }

  /** The core, once the node is part of a cluster. */
  get raft(): Raft | undefined {
    return this.replica?.core as Raft | undefined;
  }

  /** Starts the process: what `serve` does, with simulated ports. */
  start(): void {
    const { id, nodes, timeline, dice, clockRate, events, segmentBytes, ballotBytes } = this.#options;
    this.life += 1;
    const loop = new EventLoop({
      timeline,
      dice: dice.fork(),
      rate: clockRate,
      onRan: () => events.onRan(this),
      onThrow: error => events.onThrow(this, error),
    });
    const random = dice.fork();
    const journal = openLocked(
      DATA,
      { node: id, ...(nodes && { cluster: clusterOf(nodes) }) },
      { onDurable: mark => this.process?.standing.onDurable(mark) },
      {
        files: this.disk.filesFor(run => loop.arrive(run)),
        clock: loop.clock,
        segmentBytes,
        ballotBytes,
        newInstance: () => `${id}-${this.life}`,
        fatal: error => events.onFatal(this, error),
        warn: () => {},
      },
    );
    const dial = this.#options.dial(this);
    const standing = new Standing(
      {
        id,
        stage: { number: 8, makeCore: (begun, timing, throwDice) => new Raft(begun, timing, throwDice) },
        journal,
        dial,
        codec: simCodec,
        ask: this.#options.ask(this),
        clock: loop.clock,
        random: () => random.next(),
        limits: this.#options.limits,
        history: this.#options.history,
      },
      this.address,
    );
    const process = { loop, standing, asked: new Set<Asked>(), sessions: new Map<string, PeerSession>() };
    this.process = process;
    standing.start(this.address, nodes);
    loop.clock.every(SWEEP, () => sweep(process));
    events.onBegin(this);
  }

  /** Ends the process as `kill -9` does; what it wrote stays readable, synced or not. */
  kill(): void {
    this.process?.loop.end();
    this.process = undefined;
  }

  /** Ends the process and loses what the disk does not hold. */
  losePower(): void {
    this.kill();
    this.durable.forget();
    this.disk.losePower();
  }

  /** Ends the process and loses the disk; another takes its place, with nothing on it. */
  wipe(): void {
    this.kill();
    this.isLost = true;
    this.lost = this.durable;
    this.durable = new DurableLog(this.disk, DATA);
    this.disk.wipe();
  }

  /** Carries out a request that has come over a client's connection. */
  request(request: Request, answer: (outcome: Outcome) => void, client?: Client): void {
    const process = this.process;
    if (process === undefined) return;
    process.loop.arrive(() => {
      const deadline = process.loop.clock.now() + (request.timeout ?? 5_000);
      const asked: Asked = {
        request,
        deadline,
        ...(client && { client }),
        answer: (outcome, onSent) => {
          if (!process.asked.delete(asked) || this.process !== process) return;
          answer(outcome);
          onSent?.();
        },
      };
      process.asked.add(asked);
      try {
        this.#handle(process.standing, request, asked);
      } catch (error) {
        asked.answer(outcomeOf(error));
      }
    });
  }

  #handle(standing: Standing, request: Request, asked: Asked): void {
    const replica = standing.membership?.replica;
    const isAboutNode = OPS[request.op].kind === 'node';
    if (isAboutNode) asked.answer(answerAboutNode(request, standing.state, SERVER));
    else if (replica === undefined) asked.answer(standing.notInitialised());
    else replica.handle(request, asked);
  }

  arrive(run: () => void): void {
    this.process?.loop.arrive(run);
  }

  accept(
    hello: Readonly<Record<string, unknown>>,
    connection: PeerConnection,
  ): { outcome: Outcome; session?: PeerSession } {
    const process = this.process;
    if (process === undefined) throw new Error(`${this.id} is down`);
    const accepted = process.standing.accept(hello, connection, true);
    if (accepted.session !== undefined) process.sessions.set(String(hello.from), accepted.session);
    return accepted;
  }

  sessionOf(id: string): PeerSession | undefined {
    return this.process?.sessions.get(id);
  }

  onMessage(from: string, message: NodeMessage): void {
    this.replica?.onMessage(from, message);
  }
}

/** Answers what is past its deadline, as a connection does. */
function sweep({ loop, asked }: SimProcess): void {
  const now = loop.clock.now();
  for (const open of asked) {
    const { request, deadline } = open;
    if (deadline > now) continue;
    open.answer(failed(failure('TIMEOUT', 'not done in time', { definite: !mayChange(request.op) })));
  }
}
