import type { Socket } from 'node:net';
import type { Backlog, Taker } from './backlog.ts';

/** A connection is not read while this many characters of its replies are not taken, … */
const MOST_UNSENT = 1_048_576;
/** … or one turn of the event loop has brought this many: the others have their turn between. */
const MOST_A_TURN = 65_536;
/** Characters that leave at once, or a few more: the client begins with them while this node goes on with the rest of the turn. */
const PIECE = 16_384;
/** The same for the first piece of a turn, whichever client's it is: until then no client has anything to do. */
const FIRST_PIECE = 8_192;

/** When pieces leave, for all connections of a server: whether the first of this turn has. */
export class Pieces {
  #size = FIRST_PIECE;

  /** Whether a client's replies of so many characters leave now. */
  leaves(size: number): boolean {
    if (size < this.#size) return false;
    this.#size = PIECE;
    return true;
  }

  /** The turn ends. */
  reset(): void {
    this.#size = FIRST_PIECE;
  }
}

/** The replies of one client on their way out. Those of a turn leave in one write, or in a few. */
export class Output {
  readonly #socket: Socket;
  readonly #taker: Taker;
  readonly #backlog: Backlog;
  readonly #pieces: Pieces;
  /** Replies that have not been written, … */
  #text = '';
  /** … and characters of those that were, and were not taken. */
  #unsent = 0;
  #turnSize = 0;

  constructor(socket: Socket, taker: Taker, backlog: Backlog, pieces: Pieces) {
    this.#socket = socket;
    this.#taker = taker;
    this.#backlog = backlog;
    this.#pieces = pieces;
  }

  /** True when the client should take some before it may ask for more. */
  get isFull(): boolean {
    return this.#turnSize >= MOST_A_TURN || this.isBackedUp;
  }

  /** True when so much was not taken that a `drain` of the socket will come once it was. */
  get isBackedUp(): boolean {
    return this.#text.length + this.#unsent >= MOST_UNSENT;
  }

  /** True when everything has been written. */
  get isWritten(): boolean {
    return this.#text === '';
  }

  /** Adds a line. True when it is the turn's first, and so somebody has to call `flush` at its end. */
  add(line: string): boolean {
    const isFirst = this.#turnSize === 0;
    this.#text += line;
    this.#text += '\n';
    this.#turnSize += line.length + 1;
    if (this.#pieces.leaves(this.#text.length)) this.#write();
    return isFirst;
  }

  /** Ends a turn. */
  flush(): void {
    this.#turnSize = 0;
    this.#pieces.reset();
    this.#write();
  }

  #write(): void {
    const text = this.#text;
    this.#text = '';
    if (text === '' || !this.#socket.writable) return;
    this.#socket.write(text);
    this.count();
  }

  /** Looks again at how much the client has left untaken. */
  count(): void {
    this.#unsent = this.#socket.writableLength;
    this.#backlog.count(this.#taker, this.#unsent);
  }
}
