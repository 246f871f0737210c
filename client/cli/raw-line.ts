import { connect, type Socket } from 'node:net';
import split2 from 'split2';
import { parseAddress } from '../../src/wire/address.ts';
import { localError } from '../client-error.ts';
import { isCutOff } from '../mistaken.ts';
import { reasonOf } from '../roster.ts';

interface Waiting {
  readonly resolve: (line: string) => void;
  readonly reject: (error: Error) => void;
}

/** A connection for lines that are sent exactly as they were typed, as `nc` would. One at a time. */
export class RawLine {
  readonly #address: string;
  readonly #socket: Socket;
  #waiting: Waiting | undefined;
  #why: string | undefined;
  #isClosed = false;

  /** `pushed` is given each line that answers nothing, such as an event of a watch. */
  constructor(address: string, pushed: (line: string) => void) {
    this.#address = address;
    this.#socket = connect({ ...parseAddress(address), noDelay: true });
    const lines = split2('\n');
    lines.on('data', (line: string) => {
      const kind = kindOf(line);
      if (kind === 'other' && isCutOff(line, this.#socket)) return;
      const waiting = this.#waiting;
      if (waiting === undefined || kind === 'push') pushed(line);
      else {
        this.#waiting = undefined;
        waiting.resolve(line);
      }
    });
    lines.on('close', () => {
      this.#isClosed = true;
      this.#fail('LEADER_LOST', `${this.#why ?? 'closed the connection'} before it answered`);
    });
    this.#socket.on('error', error => {
      this.#why = reasonOf(error);
    });
    this.#socket.on('close', () => lines.end());
    this.#socket.pipe(lines);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves with the reply line as it came. */
  async send(line: string, timeout: number, signal: AbortSignal | undefined): Promise<string> {
    const stop = () => this.#end('TIMEOUT', 'was interrupted');
    const timer = setTimeout(() => this.#end('TIMEOUT', `did not answer within ${timeout} ms`), timeout);
    signal?.addEventListener('abort', stop);
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting = { resolve, reject };
        this.#socket.write(`${line}\n`);
      });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  /** A later reply would be taken for the next line's, so the connection ends with the wait. */
  #end(code: 'TIMEOUT', why: string): void {
    this.#fail(code, why);
    this.#isClosed = true;
    this.close();
  }

  #fail(code: 'TIMEOUT' | 'LEADER_LOST', why: string): void {
    const advice = 'if it was a change, it may or may not have happened';
    this.#waiting?.reject(localError(code, `${this.#address} ${why}; ${advice}`, { op: 'raw' }));
    this.#waiting = undefined;
  }
}

function kindOf(line: string): 'reply' | 'push' | 'other' {
  try {
    const { ok } = JSON.parse(line) as { ok?: unknown };
    return ok === undefined ? 'push' : 'reply';
  } catch {
    return 'other';
  }
}
