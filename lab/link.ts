import type { Socket } from 'node:net';

/** Bytes that one direction of a tunnel holds back at most; beyond them its source is not read. */
const MOST_HELD = 4_194_304;

/**
 * The way of bytes from one node to another, whichever of the two dialled. What it is told counts for every tunnel
 * that uses it, now and later. A link that is cut loses nothing: like TCP over a lost network, it delivers late.
 */
export class Link {
  readonly from: string;
  readonly to: string;
  readonly #flows = new Set<Flow>();
  #isCut = false;
  #delay = 0;

  constructor(from: string, to: string) {
    this.from = from;
    this.to = to;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  set isCut(isCut: boolean) {
    this.#isCut = isCut;
    for (const flow of this.#flows) flow.move();
  }

  /** Milliseconds that every byte takes; a change counts for the bytes that come after it. */
  get delay(): number {
    return this.#delay;
  }

  set delay(delay: number) {
    this.#delay = delay;
  }

  /** Carries everything that `source` sends to `target`, from now until one of them is gone. */
  carry(source: Socket, target: Socket): void {
    const flow = new Flow(this, source, target);
    this.#flows.add(flow);
    target.on('close', () => this.#flows.delete(flow));
  }
}

/** Bytes on their way, or how the source ended, and when they may arrive. */
interface Parcel {
  readonly content: Buffer | 'end' | 'reset';
  readonly due: number;
}

/** One direction of one tunnel: takes what its source sends, and hands it on, in order, when its time has come. */
class Flow {
  readonly #link: Link;
  readonly #source: Socket;
  readonly #target: Socket;
  readonly #parcels: Parcel[] = [];
  #held = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(link: Link, source: Socket, target: Socket) {
    this.#link = link;
    this.#source = source;
    this.#target = target;
    let hasEnded = false;
    source.on('data', bytes => this.#take(bytes));
    source.on('end', () => {
      hasEnded = true;
      this.#take('end');
    });
    source.on('close', () => {
      if (!hasEnded) this.#take('reset');
    });
    target.on('drain', () => this.move());
    target.on('close', () => clearTimeout(this.#timer));
    this.move();
  }

  #take(content: Parcel['content']): void {
    this.#parcels.push({ content, due: performance.now() + this.#link.delay });
    if (typeof content === 'object') this.#held += content.length;
    this.move();
  }

  /** Hands on what is due. The timer, the target's `drain`, new bytes and a mended link all lead here. */
  move(): void {
    clearTimeout(this.#timer);
    for (let next = this.#parcels[0]; next !== undefined && this.#isOpen(); next = this.#parcels[0]) {
      const wait = next.due - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(() => this.move(), wait);
        break;
      }
      this.#parcels.shift();
      this.#deliver(next.content);
    }
    if (this.#link.isCut || this.#held >= MOST_HELD) this.#source.pause();
    else this.#source.resume();
  }

  #isOpen(): boolean {
    return !this.#link.isCut && (this.#target.destroyed || !this.#target.writableNeedDrain);
  }

  #deliver(content: Parcel['content']): void {
    if (content === 'end') this.#target.end();
    else if (content === 'reset') this.#target.resetAndDestroy();
    else {
      this.#held -= content.length;
      if (this.#target.writable) this.#target.write(content);
    }
  }
}
