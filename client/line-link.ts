import { connect, type Socket } from 'node:net';
import split2 from 'split2';
import { type Address, formatAddress } from '../src/wire/address.ts';
import { shortened } from '../src/wire/text.ts';
import { InFlight } from './in-flight.ts';
import type { Link, LinkOwner, Reply } from './link.ts';
import { notLines } from './mistaken.ts';
import { reasonOf } from './roster.ts';
import type { LinkStream } from './streams.ts';
import type { Push } from './transport.ts';
import { WholeLines } from './whole-lines.ts';

/** Bytes that a reply line may have: a value of 512 KiB in which every character is written as an escape. */
const LONGEST_REPLY = 4_194_304;
/** Bytes that a push may have. A revision comes whole, however many keys it removed. */
const LONGEST_PUSH = 268_435_456;
/** A link takes no more lines while this many bytes wait for the node to read them. */
const MOST_UNSENT = 1_048_576;

/** A connection that is what it seems to be: lines of text over TCP. */
export class LineLink implements Link {
  readonly name: string;
  readonly inFlight = new InFlight();
  readonly streams = new Map<number, LinkStream>();
  readonly dialledAt = performance.now();
  readonly #owner: LinkOwner;
  readonly #socket: Socket;
  #heardAt = 0;
  #isOpen = false;
  #isLost = false;
  /** We ended it: what is still in the splitter does not count. */
  #isDestroyed = false;
  #why: string | undefined;

  constructor(address: Address, owner: LinkOwner) {
    this.name = formatAddress(address);
    this.#owner = owner;
    const socket = connect({ host: address.host, port: address.port, noDelay: true, keepAlive: true });
    const limit = () => (this.streams.size > 0 ? LONGEST_PUSH : LONGEST_REPLY);
    const whole = new WholeLines(limit);
    const lines = split2('\n');
    socket.on('connect', () => {
      this.#isOpen = true;
      owner.opened(this);
    });
    socket.on('data', () => {
      this.#heardAt = performance.now();
    });
    socket.on('drain', () => owner.drained(this));
    socket.on('error', error => {
      this.#why ??= reasonOf(error);
    });
    // The last replies may still be in the splitter when the socket has closed: the loss is told behind them.
    socket.on('close', () => whole.end());
    lines.on('data', (line: string) => this.#line(line));
    whole.on('error', () => {
      this.destroy(`sent a line of more than ${limit()} bytes`);
      lines.end();
    });
    lines.on('close', () => this.#lose());
    socket.pipe(whole).pipe(lines);
    this.#socket = socket;
  }

  get isOpen(): boolean {
    return this.#isOpen && !this.#isLost;
  }

  get wasOpen(): boolean {
    return this.#isOpen;
  }

  get room(): number {
    return MOST_UNSENT - this.#socket.writableLength;
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  destroy(why: string): void {
    this.#why ??= why;
    this.#isDestroyed = true;
    this.#socket.destroy();
  }

  #line(line: string): void {
    if (this.#isDestroyed || line.trim() === '') return;
    let reply: Reply & { id?: unknown };
    try {
      reply = JSON.parse(line);
      if (reply === null || typeof reply !== 'object') throw new SyntaxError('not an object');
    } catch {
      if (this.#socket.destroyed) this.#why ??= 'closed the connection in the middle of a reply';
      else this.destroy(notLines(line));
      return;
    }
    const { id, ok } = reply;
    if (id === undefined) {
      this.#push(reply as unknown as Push, line.length);
      return;
    }
    if (id === null && ok === false) {
      const { message } = (reply.error ?? {}) as { message?: unknown };
      this.destroy(`could not read what it was sent: ${message}`);
      return;
    }
    const call = this.inFlight.get(id as number);
    // The reply to a call that was given up meanwhile.
    if (call === undefined) return;
    if (typeof ok !== 'boolean') {
      this.destroy(`sent a reply without "ok": ${shortened(line, 40)}`);
      return;
    }
    this.inFlight.delete(id as number);
    this.#owner.replied(this, call, reply, line);
  }

  /** One for a stream that was closed from here may still be on its way. */
  #push(push: Push, size: number): void {
    const stream = this.streams.get(push.watch);
    if (push.closed !== undefined) this.streams.delete(push.watch);
    stream?.pushed(push, size, this.name);
  }

  #lose(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#owner.lost(this, this.#why ?? 'closed the connection');
  }
}
