import { textOf } from '../../src/node/parcel.ts';
import { type NodeMessage, raftCodec } from '../../src/node/raft-codec.ts';
import type { Dice } from './dice.ts';
import { MS } from './event-loop.ts';
import type { Timeline } from './timeline.ts';

/** How a way between two nodes behaves. Times in microseconds, the rest probabilities. */
export interface Weather {
  readonly delay: number;
  readonly loss: number;
  readonly duplication: number;
  readonly reordering: number;
}

export const FAIR: Weather = { delay: 400, loss: 0, duplication: 0, reordering: 0 };

/** One end of a link: a process, or none while its machine is down. */
export interface LinkEnd {
  readonly id: string;
  /** Counts the processes that ran here. */
  readonly life: number;
  readonly isRunning: boolean;
  /** Something has come out of a socket. */
  arrive(run: () => void): void;
  onMessage(from: string, message: NodeMessage): void;
  onLinkUp(to: string): void;
  onLinkDown(to: string): void;
}

export interface LinkOptions {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly from: LinkEnd;
  readonly to: LinkEnd;
  /** Sees every message as it arrives; false: it is lost. */
  readonly onArrival: (from: string, to: string, message: NodeMessage) => boolean;
  /** Whether what was sent on a connection that broke since may still come. */
  readonly isHaunted: boolean;
}

/** Bytes that may be on their way; what is more is refused, as by the real link. */
const MOST_QUEUED = 16_777_216;
const FIRST_WAIT = 25 * MS;
const LONGEST_WAIT = 1_000 * MS;

/** The way from one node to another: a connection that breaks and is dialled again, over a network that may be cut. */
export class SimLink {
  weather: Weather = FAIR;
  readonly #options: LinkOptions;
  #isUp = false;
  /** Counts the connections. */
  #epoch = 0;
  #isCut = false;
  /** While it is cut: what waits for the cut to be mended, when it waits. */
  #held: (() => void)[] | undefined;
  #lastArrival = 0;
  #queued = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Nothing gets through any more. With `holds` it waits for `mend`, and else it is lost. */
  cut(holds: boolean): void {
    this.#isCut = true;
    this.#held ??= holds ? [] : undefined;
  }

  mend(): void {
    this.#isCut = false;
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const go of held) go();
  }

  /** The process at the near end has begun to run, and dials. */
  open(): void {
    this.#isUp = false;
    this.#epoch += 1;
    this.#dial(this.#epoch, this.#options.from.life, FIRST_WAIT);
  }

  /** The connection breaks; the near end is told, and dials again. */
  break(): void {
    const { from, to, timeline, dice } = this.#options;
    if (!this.#isUp) return;
    this.#isUp = false;
    this.#epoch += 1;
    const epoch = this.#epoch;
    if (!from.isRunning) return;
    from.arrive(() => from.onLinkDown(to.id));
    const { life } = from;
    timeline.after(dice.below(FIRST_WAIT), () => this.#dial(epoch, life, FIRST_WAIT));
  }

  #dial(epoch: number, life: number, wait: number): void {
    const { from, to, timeline, dice } = this.#options;
    timeline.after(this.#delay() * 2, () => {
      if (epoch !== this.#epoch || life !== from.life || !from.isRunning) return;
      if (to.isRunning && !this.#isCut) {
        this.#isUp = true;
        from.arrive(() => from.onLinkUp(to.id));
        return;
      }
      const next = Math.min(wait * 2, LONGEST_WAIT);
      timeline.after(wait * (0.5 + dice.next()), () => this.#dial(epoch, life, next));
    });
  }

  send(message: NodeMessage): boolean {
    const text = textOf(raftCodec.encode(message));
    if (!this.#isUp || this.#queued > MOST_QUEUED) return false;
    // A request that is carried out twice is carried out twice: only the messages of the core are made for that.
    const isForwarding = message.type === 'forward' || message.type === 'forwarded';
    const { dice } = this.#options;
    const isTwice = !isForwarding && dice.chance(this.weather.duplication);
    if (!isForwarding && dice.chance(this.weather.loss)) return true;
    this.#travel(text, isForwarding);
    if (isTwice) this.#travel(text, false);
    return true;
  }

  #travel(text: string, isForwarding: boolean): void {
    const { timeline, dice } = this.#options;
    if (this.#isCut) {
      this.#held?.push(() => this.#travel(text, isForwarding));
      return;
    }
    const epoch = this.#epoch;
    let at = timeline.now + this.#delay();
    if (dice.chance(this.weather.reordering)) at += dice.around(this.weather.delay * 20);
    else at = Math.max(at, this.#lastArrival);
    this.#lastArrival = Math.max(at, this.#lastArrival);
    this.#queued += text.length;
    timeline.after(at - timeline.now, () => {
      this.#queued -= text.length;
      const isLate = epoch !== this.#epoch;
      if (isLate && (isForwarding || !this.#options.isHaunted || dice.chance(0.5))) return;
      this.#deliver(text);
    });
  }

  #deliver(text: string): void {
    const { from, to, onArrival } = this.#options;
    if (!to.isRunning) return;
    to.arrive(() => {
      const [header = '', ...lines] = text.split('\n');
      const { lines: _count, ...fields } = JSON.parse(header);
      const message = raftCodec.decode(fields, lines);
      if (onArrival(from.id, to.id, message)) to.onMessage(from.id, message);
    });
  }

  #delay(): number {
    return this.weather.delay / 2 + this.#options.dice.around(this.weather.delay);
  }
}
