import { writeFirstEntry } from '../../src/node/first-entry.ts';
import { openLocked } from '../../src/node/journal-open.ts';
import type { NodeMessage } from '../../src/node/raft-codec.ts';
import { Replica } from '../../src/node/replica.ts';
import type { Transport } from '../../src/ports/transport.ts';
import type { NodeAddress } from '../../src/wire/address.ts';
import { failure } from '../../src/wire/errors.ts';
import { mayChange, type Request } from '../../src/wire/ops.ts';
import { failed, type Outcome, outcomeOf } from '../../src/wire/reply.ts';
import { Raft } from '../../stages/6-election/raft.ts';
import type { Dice } from './dice.ts';
import { DurableLog } from './durable-log.ts';
import { EventLoop } from './event-loop.ts';
import { SimDisk } from './sim-disk.ts';
import type { LinkEnd } from './sim-link.ts';
import type { Timeline } from './timeline.ts';

const DATA = '/data';
/** Milliseconds between two looks at requests past their deadline, as a server's. */
const SWEEP = 50;

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

export interface SimNodeOptions {
  readonly id: string;
  readonly nodes: readonly NodeAddress[];
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly clockRate: number;
  /** Bytes of a segment of the log, and of the file of votes. */
  readonly segmentBytes: number;
  readonly ballotBytes: number;
  readonly transport: Transport<NodeMessage>;
  readonly events: NodeEvents;
}

/** A request under way, as the server of a node keeps it. */
interface Asked {
  readonly request: Request;
  readonly deadline: number;
  readonly answer: (outcome: Outcome) => void;
}

/** What ends with the process. */
export interface SimProcess {
  readonly loop: EventLoop;
  readonly replica: Replica;
  readonly raft: Raft;
  readonly asked: Set<Asked>;
}

/** One machine: a disk that stays, and a process of the production code that comes and goes. */
export class SimNode implements LinkEnd {
  readonly id: string;
  readonly disk: SimDisk;
  readonly durable: DurableLog;
  /** Requests that were cut off by the end of a process are told so by this. */
  process: SimProcess | undefined;
  life = 0;
  readonly #options: SimNodeOptions;

  constructor(options: SimNodeOptions) {
    this.id = options.id;
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

  get isRunning(): boolean {
    return this.process !== undefined;
  }

  get replica(): Replica | undefined {
    return this.process?.replica;
  }

  get raft(): Raft | undefined {
    return this.process?.raft;
  }

  /** Starts the process: what `serve` does, with simulated ports. */
  start(): void {
    const { id, timeline, dice, clockRate, events, segmentBytes, ballotBytes, transport } = this.#options;
    this.life += 1;
    const loop = new EventLoop({
      timeline,
      dice: dice.fork(),
      rate: clockRate,
      onRan: () => events.onRan(this),
      onThrow: error => events.onThrow(this, error),
    });
    const { storage, recovered, state } = openLocked(
      DATA,
      { node: id, cluster: 'simulated' },
      { onDurable: mark => this.process?.replica.onDurable(mark) },
      {
        files: this.disk.filesFor(run => loop.arrive(run)),
        clock: loop.clock,
        segmentBytes,
        ballotBytes,
        fatal: error => events.onFatal(this, error),
        warn: () => {},
      },
    );
    const beginning =
      recovered.entries.length > 0 || recovered.snapshot !== undefined
        ? recovered
        : writeFirstEntry(storage, recovered.ballot, this.#options.nodes);
    let raft: Raft | undefined;
    const random = dice.fork();
    const replica = new Replica({
      id,
      stage: {
        number: 6,
        makeCore: (begun, timing, throwDice) => {
          raft = new Raft(begun, timing, throwDice);
          return raft;
        },
      },
      recovered: beginning,
      store: state,
      storage,
      transport,
      clock: loop.clock,
      random: () => random.next(),
    });
    if (raft === undefined) throw new Error('the replica made no core');
    const process = { loop, replica, raft, asked: new Set<Asked>() };
    this.process = process;
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

  /** Carries out a request that has come over a client's connection. */
  request(request: Request, answer: (outcome: Outcome) => void): void {
    const process = this.process;
    if (process === undefined) return;
    process.loop.arrive(() => {
      const deadline = process.loop.clock.now() + (request.timeout ?? 5_000);
      const asked: Asked = {
        request,
        deadline,
        answer: outcome => {
          if (process.asked.delete(asked) && this.process === process) answer(outcome);
        },
      };
      process.asked.add(asked);
      try {
        process.replica.handle(request, asked);
      } catch (error) {
        asked.answer(outcomeOf(error));
      }
    });
  }

  arrive(run: () => void): void {
    this.process?.loop.arrive(run);
  }

  onMessage(from: string, message: NodeMessage): void {
    this.replica?.onMessage(from, message);
  }

  onLinkUp(to: string): void {
    this.replica?.onLinkUp(to);
  }

  onLinkDown(to: string): void {
    this.replica?.onLinkDown(to);
  }
}

/** Answers what is past its deadline, as a connection does. */
function sweep({ loop, asked }: SimProcess): void {
  const now = loop.clock.now();
  for (const { request, deadline, answer } of asked) {
    if (deadline > now) continue;
    answer(failed(failure('TIMEOUT', 'not done in time', { definite: !mayChange(request.op) })));
  }
}
