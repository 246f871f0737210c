import { isAscii } from 'node:buffer';
import type { Budget } from './budget.ts';
import { type Fault, LineBuffer } from './line-buffer.ts';

/** What of a socket a `LineInput` needs. */
interface Source {
  pause(): void;
  resume(): void;
}

/** Whoever takes the lines. */
interface LineTaker {
  onLine(line: string): void;
  /** The client has ended its side, or `fault` says why no further line counts; all lines before were taken. */
  onEnd(): void;
}

/**
 * The lines of a connection, one after the other, for as long as whoever takes them can take more. Two streams, one for
 * whole lines and split2, would say the same in fewer words; what streams do around each chunk is a sixth of the time
 * of a read where every client has one request under way (bench/NOTES.md).
 */
export class LineInput {
  readonly #source: Source;
  readonly #taker: LineTaker;
  readonly #buffer: LineBuffer;
  /** Whole lines, … */
  #text = '';
  /** … of which those before this place have been taken. */
  #at = 0;
  #isPaused = false;
  /** Nothing is to be added to `#text`. */
  #isEnding = false;
  #isEnded = false;

  /** `limit`: bytes that a line may have before its newline. `budget`: what lines share until their end has come. */
  constructor(source: Source, taker: LineTaker, limit: number, budget: Budget) {
    this.#source = source;
    this.#taker = taker;
    this.#buffer = new LineBuffer(lines => this.#add(lines), limit, budget);
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get fault(): Fault | undefined {
    return this.#buffer.fault;
  }

  /** Bytes of a line whose end has not come. */
  get partial(): number {
    return this.#buffer.partial;
  }

  /** From here on lines may have `limit` bytes, and count into no budget. */
  trust(limit: number): void {
    this.#buffer.trust(limit);
  }

  take(chunk: Buffer): void {
    this.#buffer.take(chunk);
    if (this.fault === undefined) return;
    this.#isEnding = true;
    this.#endIfDone();
  }

  /** Nothing else comes. */
  end(): void {
    this.#buffer.end();
    this.#isEnding = true;
    this.#endIfDone();
  }

  /** Hands on no further line, not even of those that are here. */
  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#source.pause();
  }

  /** Goes on, when whoever calls this is done. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    process.nextTick(() => {
      this.#handOn();
      this.#endIfDone();
      if (!this.#isPaused) this.#source.resume();
    });
  }

  /** Forgets all that has not been handed on. */
  destroy(): void {
    this.#buffer.clear();
    this.#text = '';
    this.#at = 0;
    this.#isEnded = true;
  }

  /** A long line comes by itself, and is handed on before the next are added: what waits is the rest of one packet. */
  #add(lines: Buffer): void {
    if (this.#isEnded) return;
    // Most lines are ASCII, which is faster to decode as what it also is.
    const text = lines.toString(isAscii(lines) ? 'latin1' : 'utf8');
    this.#text = this.#text.slice(this.#at) + text;
    this.#at = 0;
    this.#handOn();
  }

  #handOn(): void {
    while (!this.#isPaused && this.#at < this.#text.length) {
      const newline = this.#text.indexOf('\n', this.#at);
      const end = newline === -1 ? this.#text.length : newline;
      const line = this.#text.slice(this.#at, end);
      this.#at = end + 1;
      this.#taker.onLine(line);
    }
    if (this.#at < this.#text.length) return;
    this.#text = '';
    this.#at = 0;
  }

  #endIfDone(): void {
    if (!this.#isEnding || this.#isEnded || this.#isPaused || this.#text !== '') return;
    this.#isEnded = true;
    this.#taker.onEnd();
  }
}
