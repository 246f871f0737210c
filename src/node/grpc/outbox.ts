import type { Parcel } from '../../ports/transport.ts';
import type { Message } from '../../wire/messages.ts';
import { logger } from '../logger.ts';
import { sendSoon } from '../loop-end.ts';
import { encodeParcel, type PeerMessages } from './peer-messages.ts';

/** Bytes that may wait for a node that does not take them; more is dropped, since a node that is behind asks. */
const MOST_WAITING = 16_777_216;
/** Bytes of one message of the stream, save where it holds a single larger one. */
const MOST_TOGETHER = 1_048_576;

const log = logger('grpc');

/** Where messages of the stream are written. */
export interface Way {
  write(messages: PeerMessages, done: () => void): unknown;
}

/** What this node has to say to another: all that a turn of the event loop brings leaves in one message of the stream. */
export class Outbox {
  readonly #way: Way;
  #queue: Message[] = [];
  #size = 0;
  /** Bytes queued, or written and not yet taken. */
  #waiting = 0;
  #isOpen = false;
  #isFlushPlanned = false;

  constructor(way: Way) {
    this.#way = way;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Lets what waits leave, and what comes from now on. */
  open(): void {
    this.#isOpen = true;
    this.#flush();
  }

  /** False when the other takes too little, or when the schema has no place for the message. */
  send(parcel: Parcel): boolean {
    if (this.#waiting > MOST_WAITING) return false;
    let message: Message;
    try {
      message = encodeParcel(parcel);
    } catch (error) {
      log('a message that the schema has no place for: %s', error);
      return false;
    }
    const size = sizeOf(parcel);
    if (this.#size > 0 && this.#size + size > MOST_TOGETHER) this.#flush();
    this.#queue.push(message);
    this.#size += size;
    this.#waiting += size;
    this.#plan();
    return true;
  }

  #plan(): void {
    if (this.#isFlushPlanned || !this.#isOpen) return;
    this.#isFlushPlanned = true;
    sendSoon(() => {
      this.#isFlushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (!this.#isOpen || this.#queue.length === 0) return;
    const messages = this.#queue;
    const size = this.#size;
    this.#queue = [];
    this.#size = 0;
    this.#way.write({ messages }, () => {
      this.#waiting -= size;
    });
  }
}

/** About how many bytes a parcel takes: its lines are nearly all of it. */
function sizeOf({ lines }: Parcel): number {
  return lines.reduce((sum, line) => sum + line.length, 64);
}
