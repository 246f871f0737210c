import { connect, type Socket } from 'node:net';
import { parseAddress } from '../../src/wire/address.ts';

/** A reply as it came. */
export interface Reply {
  readonly ok: boolean;
  readonly id?: unknown;
  readonly rev?: number;
  readonly error?: { readonly code: string; readonly message: string; readonly [detail: string]: unknown };
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of each field
  readonly [field: string]: any;
}

/** How a connection came to its end: the other side closed it, or reset it. */
export type Ending = 'closed' | 'reset';

const DEADLINE = 5_000;

interface Waiter {
  readonly resolve: (line: string) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A client of the line protocol with nothing between a test and the bytes: it sends what it is told to, and
 * hands out the lines that come back one after the other, each within a deadline.
 */
export class LineClient {
  readonly socket: Socket;
  readonly #lines: string[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #ending: Promise<Ending>;
  #rest: Buffer[] = [];
  #ended: Ending | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', chunk => this.#take(chunk));
    this.#ending = new Promise(resolve => {
      let ending: Ending = 'closed';
      socket.on('error', () => {
        ending = 'reset';
      });
      socket.on('close', () => {
        this.#ended = ending;
        for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#gone());
        resolve(ending);
      });
    });
  }

  /** Connects. A half-open client keeps sending after the server has closed its side. */
  static connect(address: string, options: { readonly halfOpen?: boolean } = {}): Promise<LineClient> {
    const { host, port } = parseAddress(address);
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, allowHalfOpen: options.halfOpen ?? false });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new LineClient(socket));
      });
    });
  }

  /** Sends lines, each with its newline, in one piece; an object as its JSON. */
  send(...lines: readonly (string | object)[]): void {
    const texts = lines.map(line => (typeof line === 'string' ? line : JSON.stringify(line)));
    this.socket.write(`${texts.join('\n')}\n`);
  }

  /** Sends bytes as they are. */
  bytes(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The next line that comes back, without its newline. */
  line(deadline = DEADLINE): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.#ended !== undefined) return Promise.reject(this.#gone());
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve: found => {
          clearTimeout(timer);
          resolve(found);
        },
        reject: error => {
          clearTimeout(timer);
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(new Error(`no line came within ${deadline} ms`));
      }, deadline);
      this.#waiters.push(waiter);
    });
  }

  /** The next line, parsed. */
  async reply(deadline = DEADLINE): Promise<Reply> {
    return JSON.parse(await this.line(deadline)) as Reply;
  }

  /** The next lines, parsed. */
  async replies(count: number, deadline = DEADLINE): Promise<Reply[]> {
    const replies: Reply[] = [];
    while (replies.length < count) replies.push(await this.reply(deadline));
    return replies;
  }

  /** Sends one request and waits for the next reply. */
  ask(request: string | object, deadline = DEADLINE): Promise<Reply> {
    this.send(request);
    return this.reply(deadline);
  }

  /** Ends this side only, as `nc -N` does at the end of its input. */
  end(): void {
    this.socket.end();
  }

  /** Every further line until the other side closes; fails on a reset. */
  async rest(deadline = DEADLINE): Promise<string[]> {
    if ((await this.ending(deadline)) === 'reset') throw new Error('the connection was reset');
    return this.#lines.splice(0);
  }

  /** How the connection ends, once it has. */
  async ending(deadline = DEADLINE): Promise<Ending> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`still open after ${deadline} ms`)), deadline);
    });
    try {
      return await Promise.race([this.#ending, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Breaks the connection with a reset. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Closes the connection and waits until it is. */
  async close(): Promise<void> {
    this.socket.destroy();
    await this.#ending;
  }

  #take(chunk: Buffer): void {
    for (let start = 0; ; ) {
      const newline = chunk.indexOf(0x0a, start);
      if (newline === -1) {
        this.#rest.push(chunk.subarray(start));
        return;
      }
      const line = Buffer.concat([...this.#rest, chunk.subarray(start, newline)]).toString();
      this.#rest = [];
      start = newline + 1;
      const waiter = this.#waiters.shift();
      if (waiter) waiter.resolve(line);
      else this.#lines.push(line);
    }
  }

  #gone(): Error {
    return new Error(`the connection was ${this.#ended} before the line came`);
  }
}
