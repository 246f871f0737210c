import { Transform, type TransformCallback } from 'node:stream';

const NEWLINE = 0x0a;

/**
 * Hands on bytes only up to a newline, and keeps the beginning of a line until its end has come: so whoever splits
 * behind it sees each byte once, however long a line is. One that is longer than it may be is an error.
 */
export class WholeLines extends Transform {
  readonly #limit: () => number;
  #held: Buffer[] = [];
  #length = 0;

  /** `limit`: bytes that a line may have at the moment. */
  constructor(limit: () => number) {
    super();
    this.#limit = limit;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      const lines = chunk.subarray(0, end);
      this.push(this.#length === 0 ? lines : Buffer.concat([...this.#held, lines]));
      this.#held = [];
      this.#length = 0;
    }
    if (end < chunk.length) {
      this.#held.push(chunk.subarray(end));
      this.#length += chunk.length - end;
    }
    done(this.#length > this.#limit() ? new RangeError('a line is too long') : null);
  }

  /** What lacks its end is handed on too, so that it is known for what it is. */
  override _flush(done: TransformCallback): void {
    if (this.#length > 0) this.push(Buffer.concat(this.#held));
    done();
  }
}
