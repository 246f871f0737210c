import type { Socket } from 'node:net';

/** With what every HTTP/2 connection begins (RFC 9113 §3.4); no line of ours begins so. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** A connection of which nobody knows yet whether it speaks lines or HTTP/2: its first bytes tell. */
export class Newcomer {
  readonly socket: Socket;
  readonly since: number;
  /** Beyond the clients' number. */
  readonly isReserve: boolean;
  readonly #told: (isHttp2: boolean) => void;
  #held = Buffer.alloc(0);

  /** `told` is called once, with all bytes back in the socket. */
  constructor(socket: Socket, now: number, isReserve: boolean, told: (isHttp2: boolean) => void) {
    this.socket = socket;
    this.since = now;
    this.isReserve = isReserve;
    this.#told = told;
    socket.on('error', ignore);
    socket.once('readable', this.#look);
    socket.once('end', this.#ended);
  }

  /** True once it has begun to say something. */
  get hasBegun(): boolean {
    return this.#held.length > 0;
  }

  readonly #look = (): void => {
    const chunk: Buffer | null = this.socket.read();
    if (chunk !== null) this.#held = Buffer.concat([this.#held, chunk]);
    const most = Math.min(this.#held.length, PREFACE.length);
    const isLike = this.#held.subarray(0, most).equals(PREFACE.subarray(0, most));
    if (isLike && most < PREFACE.length && !this.socket.destroyed) {
      this.socket.once('readable', this.#look);
      return;
    }
    if (this.#held.length > 0) this.socket.unshift(this.#held);
    this.socket.off('error', ignore);
    this.socket.off('end', this.#ended);
    this.#told(isLike && most === PREFACE.length);
  };

  /** It has said nothing, or not even a word. */
  readonly #ended = (): void => {
    this.socket.end();
  };
}

function ignore(): void {
  // Its end is told by `close`.
}
