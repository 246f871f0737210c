import { Transform, type TransformCallback } from 'node:stream';
import { type Fault, LineBuffer } from './line-buffer.ts';

/** A `LineBuffer` as a stream, for split2 behind it. It ends behind the last good line before a fault. */
export class WholeLines extends Transform {
  readonly #buffer: LineBuffer;

  /** `limit`: bytes that a line may have before its newline. */
  constructor(limit: number) {
    super();
    this.#buffer = new LineBuffer(lines => this.push(lines), limit);
  }

  get fault(): Fault | undefined {
    return this.#buffer.fault;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#buffer.take(chunk);
    if (this.fault !== undefined) this.push(null);
    done();
  }

  override _flush(done: TransformCallback): void {
    this.#buffer.end();
    done();
  }
}
