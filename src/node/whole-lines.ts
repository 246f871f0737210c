import { isUtf8 } from 'node:buffer';
import { Transform, type TransformCallback } from 'node:stream';

const NEWLINE = 0x0a;

/**
 * Hands on bytes only up to a newline, and keeps the beginning of a line until its end has come. So whoever
 * splits behind it sees each byte once, however small the packets, and no character cut in two.
 *
 * A line that is too long or is not UTF-8 ends the stream behind the good lines before it; `fault` then says why.
 */
export class WholeLines extends Transform {
  /** Bytes that a line may have before its newline. */
  limit: number;
  #held = Buffer.alloc(0);
  #length = 0;
  #fault: 'LINE_TOO_LONG' | 'BAD_ENCODING' | undefined;

  constructor(limit: number) {
    super();
    this.limit = limit;
  }

  get fault(): 'LINE_TOO_LONG' | 'BAD_ENCODING' | undefined {
    return this.#fault;
  }

  /** Bytes of a line whose end has not come. */
  get partial(): number {
    return this.#length;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#fault === undefined) this.#take(chunk);
    done();
  }

  /** A last line without a newline counts: what it lacks is only its ending. */
  override _flush(done: TransformCallback): void {
    if (this.#fault === undefined && this.#length > 0) this.#handOn(this.#held.subarray(0, this.#length));
    done();
  }

  #take(chunk: Buffer): void {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    const rest = chunk.subarray(end);
    if (end > 0) {
      let lines = chunk.subarray(0, end);
      if (this.#length > 0) {
        this.#hold(lines);
        lines = this.#held.subarray(0, this.#length);
        this.#held = Buffer.alloc(0);
        this.#length = 0;
      }
      this.#handOn(lines);
    }
    if (this.#fault !== undefined || rest.length === 0) return;
    if (this.#length + rest.length > this.limit) this.#end('LINE_TOO_LONG');
    else this.#hold(rest);
  }

  #hold(bytes: Buffer): void {
    const length = this.#length + bytes.length;
    if (length > this.#held.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, this.#held.length * 2));
      this.#held.copy(larger, 0, 0, this.#length);
      this.#held = larger;
    }
    bytes.copy(this.#held, this.#length);
    this.#length = length;
  }

  #handOn(lines: Buffer): void {
    if (lines.length <= this.limit && isUtf8(lines)) this.push(lines);
    else this.#handOnGood(lines);
  }

  /** Hands on the lines before the first that is at fault. */
  #handOnGood(lines: Buffer): void {
    for (let start = 0; start < lines.length; ) {
      const newline = lines.indexOf(NEWLINE, start);
      const end = newline === -1 ? lines.length : newline;
      const isLong = end - start > this.limit;
      if (isLong || !isUtf8(lines.subarray(start, end))) {
        this.#end(isLong ? 'LINE_TOO_LONG' : 'BAD_ENCODING');
        return;
      }
      this.push(lines.subarray(start, end + 1));
      start = end + 1;
    }
  }

  #end(fault: 'LINE_TOO_LONG' | 'BAD_ENCODING'): void {
    this.#fault = fault;
    this.#held = Buffer.alloc(0);
    this.#length = 0;
    this.push(null);
  }
}
