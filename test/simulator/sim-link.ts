import type { Handshake } from '../../src/node/handshake.ts';
import { ParcelReader, textOf } from '../../src/node/parcel.ts';
import type { LinkEvents, PeerConnection, PeerLink, PeerSession } from '../../src/node/peers.ts';
import { type NodeMessage, raftCodec } from '../../src/node/raft-codec.ts';
import type { Parcel } from '../../src/ports/transport.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import { MS } from './event-loop.ts';
import type { SimRoad } from './sim-road.ts';
import type { Timeline } from './timeline.ts';

/** One end of a link: a process, or none while its machine is down. */
export interface LinkEnd {
  readonly id: string;
  /** Counts the processes that ran here. */
  readonly life: number;
  readonly isRunning: boolean;
  /** Something has come out of a socket. */
  arrive(run: () => void): void;
  /** Answers the handshake of a node that calls. */
  accept(
    hello: Readonly<Record<string, unknown>>,
    connection: PeerConnection,
  ): { outcome: Outcome; session?: PeerSession };
  /** The session in which another node's messages come in, if it has one. */
  sessionOf(id: string): PeerSession | undefined;
}

export interface LinkOptions {
  readonly timeline: Timeline;
  readonly road: SimRoad;
  readonly from: LinkEnd;
  /** Whoever is at the address that is dialled, if anyone is. */
  readonly to: LinkEnd | undefined;
  readonly handshake: Handshake;
  readonly events: LinkEvents;
  /** Sees every message as it leaves. */
  readonly onSend: (from: string, to: string, message: NodeMessage) => void;
  /** Sees every message as it arrives; false: it is lost. */
  readonly onArrival: (from: string, to: string, message: NodeMessage) => boolean;
  /** Whether what was sent on a connection that broke since may still come. */
  readonly isHaunted: boolean;
}

/** Characters that may be on their way; what is more is refused, as by the real link. */
const MOST_QUEUED = 16_777_216;
const FIRST_WAIT = 25 * MS;
const LONGEST_WAIT = 1_000 * MS;

/** The message that is in a parcel, by its header. */
const contents = new WeakMap<Parcel['header'], NodeMessage>();

/** The codec of simulated nodes: that of real ones, which tells the network what it carries. */
export const simCodec: typeof raftCodec = {
  encode: message => {
    const parcel = raftCodec.encode(message);
    contents.set(parcel.header, message);
    return parcel;
  },
  decode: (header, lines) => contents.get(header) ?? raftCodec.decode(header, lines),
};

/** A process's way to another node: a connection that breaks and is dialled again, over a network that may be cut. */
export class SimLink implements PeerLink {
  readonly #options: LinkOptions;
  readonly #life: number;
  #isUp = false;
  #isClosed = false;
  /** Counts the connections. */
  #epoch = 0;
  #queued = 0;
  /** What the far end does when this connection ends. */
  #session: PeerSession | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#life = options.from.life;
    options.road.onBreak = () => this.reset();
    this.#dial(FIRST_WAIT);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get #isOver(): boolean {
    const { from } = this.#options;
    return this.#isClosed || !from.isRunning || from.life !== this.#life;
  }

  #dial(wait: number): void {
    const { to, timeline, road } = this.#options;
    const epoch = this.#epoch;
    timeline.after(road.delay() * 2, () => {
      if (epoch !== this.#epoch || this.#isOver) return;
      if (to?.isRunning === true && !road.isCut) this.#call(to, wait);
      else this.#dialLater(wait);
    });
  }

  #dialLater(wait: number): void {
    const { timeline, road } = this.#options;
    const epoch = this.#epoch;
    const next = Math.min(wait * 2, LONGEST_WAIT);
    timeline.after(wait / 2 + road.delay() + (road.chance(0.5) ? wait / 2 : 0), () => {
      if (epoch === this.#epoch && !this.#isOver) this.#dial(next);
    });
  }

  /** The connection stands: the handshake goes there, and its answer comes back. */
  #call(to: LinkEnd, wait: number): void {
    const { from, handshake } = this.#options;
    const epoch = this.#epoch;
    const hello = JSON.parse(JSON.stringify(handshake)) as Readonly<Record<string, unknown>>;
    to.arrive(() => {
      if (epoch !== this.#epoch || this.#isOver) return;
      const { outcome, session } = to.accept(hello, { destroy: () => this.#destroyed(epoch) });
      if (epoch !== this.#epoch) return;
      this.#session = session;
      from.arrive(() => {
        if (epoch !== this.#epoch || this.#isOver) return;
        if (session !== undefined) {
          this.#isUp = true;
          this.#options.events.up();
        } else this.#refused(outcome, wait);
      });
    });
  }

  #refused(outcome: Outcome, wait: number): void {
    if (outcome.ok || outcome.error.retry === true) {
      this.#dialLater(wait);
      return;
    }
    this.#dialLater(LONGEST_WAIT);
    this.#options.events.refused?.(outcome.error);
  }

  /** The far end has closed it. */
  #destroyed(epoch: number): void {
    if (epoch !== this.#epoch) return;
    this.#session = undefined;
    this.reset();
  }

  /** The connection breaks; both ends are told, and this one dials again. */
  reset(): void {
    const { from, timeline, road, events } = this.#options;
    const wasUp = this.#isUp;
    this.#end();
    if (this.#isOver) return;
    if (wasUp) from.arrive(() => events.down());
    const epoch = this.#epoch;
    timeline.after(road.delay() + FIRST_WAIT / 2, () => {
      if (epoch === this.#epoch && !this.#isOver) this.#dial(FIRST_WAIT);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#end();
  }

  #end(): void {
    const session = this.#session;
    this.#isUp = false;
    this.#epoch += 1;
    this.#session = undefined;
    if (session !== undefined) this.#options.to?.arrive(() => session.closed());
  }

  send(parcel: Parcel): boolean {
    const { road, from, to, onSend } = this.#options;
    if (!this.#isUp || this.#queued > MOST_QUEUED) return false;
    const message = contents.get(parcel.header);
    if (message !== undefined && to !== undefined) onSend(from.id, to.id, message);
    const text = textOf(parcel);
    const epoch = this.#epoch;
    // A request that is carried out twice is carried out twice: only the messages of the core are made for that.
    const { type } = parcel.header;
    const isForwarding = type === 'forward' || type === 'forwarded';
    this.#queued += text.length;
    road.carry(!isForwarding, () => {
      this.#queued = Math.max(0, this.#queued - text.length);
      const isLate = epoch !== this.#epoch;
      if (isLate && (isForwarding || !this.#options.isHaunted || road.chance(0.5))) return;
      this.#deliver(text, isLate);
    });
    return true;
  }

  #deliver(text: string, isLate: boolean): void {
    const { from, to, onArrival } = this.#options;
    if (to?.isRunning !== true) return;
    const session = isLate ? to.sessionOf(from.id) : this.#session;
    to.arrive(() => {
      const reader = new ParcelReader();
      const parcel = text.split('\n').reduce<Parcel | undefined>((_, line) => reader.take(line), undefined);
      if (parcel === undefined || session === undefined) return;
      const message = raftCodec.decode(parcel.header, parcel.lines);
      contents.set(parcel.header, message);
      if (onArrival(from.id, to.id, message)) session.receive(parcel);
    });
  }
}
