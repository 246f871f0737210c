import { isUtf8 } from 'node:buffer';
import type { Budget } from './budget.ts';

const NEWLINE = 0x0a;
const NOTHING = Buffer.alloc(0);
/** Bytes of a half-received line that count into no budget: when it is used up, only long lines are refused. */
const FREE = 16_384;

/** Why a stream of lines ended before its sender ended it. */
export type Fault = 'LINE_TOO_LONG' | 'BAD_ENCODING' | 'BUSY';

/**
 * Hands on bytes only up to a newline, and keeps the beginning of a line until its end has come. So whoever splits
 * what is handed on sees each byte once, however small the packets, and no character cut in two.
 *
 * A line that is too long, is not UTF-8, or finds no room in the budget is a fault: the good lines before it are handed on,
 * and nothing that comes behind them.
 */
export class LineBuffer {
  readonly #handOn: (lines: Buffer) => void;
  #limit: number;
  #budget: Budget | undefined;
  #taken = 0;
  #held = NOTHING;
  #length = 0;
  #fault: Fault | undefined;

  /** `limit`: bytes that a line may have before its newline. `budget`: what lines share until their end has come. */
  constructor(handOn: (lines: Buffer) => void, limit: number, budget?: Budget) {
    this.#handOn = handOn;
    this.#limit = limit;
    this.#budget = budget;
  }

  get fault(): Fault | undefined {
    return this.#fault;
  }

  /** Bytes of a line whose end has not come. */
  get partial(): number {
    return this.#length;
  }

  /** From here on lines may have `limit` bytes, and count into no budget. */
  trust(limit: number): void {
    this.#budget?.give(this.#taken);
    this.#budget = undefined;
    this.#limit = limit;
  }

  take(chunk: Buffer): void {
    if (this.#fault !== undefined) return;
    const first = chunk.indexOf(NEWLINE) + 1;
    if (first === 0) {
      this.#hold(chunk);
      return;
    }
    // The held line alone is put together; the lines behind it are handed on as they came.
    const start = this.#length > 0 ? first : 0;
    if (start > 0) this.#check(Buffer.concat([this.clear(), chunk.subarray(0, first)]));
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > start && this.#fault === undefined) this.#check(chunk.subarray(start, end));
    if (end < chunk.length && this.#fault === undefined) this.#hold(chunk.subarray(end));
  }

  /** Nothing else comes. A last line without a newline counts: what it lacks is only its ending. */
  end(): void {
    if (this.#fault === undefined && this.#length > 0) this.#check(this.clear());
  }

  #hold(bytes: Buffer): void {
    const length = this.#length + bytes.length;
    if (length > this.#limit) this.#fail('LINE_TOO_LONG');
    else if (length > this.#held.length && !this.#grow(length)) this.#fail('BUSY');
    else {
      bytes.copy(this.#held, this.#length);
      this.#length = length;
    }
  }

  /** Makes room for a line of this length, and for more: doubling copies each byte but a few times. */
  #grow(length: number): boolean {
    const size = Math.max(length, Math.min(this.#held.length * 2, this.#limit));
    const taken = Math.max(0, size - FREE);
    if (this.#budget?.take(taken - this.#taken) === false) return false;
    this.#taken = taken;
    const larger = Buffer.allocUnsafe(size);
    this.#held.copy(larger, 0, 0, this.#length);
    this.#held = larger;
    return true;
  }

  /** Forgets the line whose end has not come, and returns what there is of it. */
  clear(): Buffer {
    const bytes = this.#held.subarray(0, this.#length);
    this.#budget?.give(this.#taken);
    this.#taken = 0;
    this.#held = NOTHING;
    this.#length = 0;
    return bytes;
  }

  #check(lines: Buffer): void {
    if (lines.length <= this.#limit && isUtf8(lines)) this.#handOn(lines);
    else this.#handOnGood(lines);
  }

  /** Hands on the lines before the first that is at fault. */
  #handOnGood(lines: Buffer): void {
    for (let start = 0; start < lines.length; ) {
      const newline = lines.indexOf(NEWLINE, start);
      const end = newline === -1 ? lines.length : newline;
      const isLong = end - start > this.#limit;
      if (isLong || !isUtf8(lines.subarray(start, end))) {
        this.#fail(isLong ? 'LINE_TOO_LONG' : 'BAD_ENCODING');
        return;
      }
      this.#handOn(lines.subarray(start, end + 1));
      start = end + 1;
    }
  }

  #fail(fault: Fault): void {
    this.#fault = fault;
    this.clear();
  }
}
