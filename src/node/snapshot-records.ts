import { createHash } from 'node:crypto';
import { ImageReader } from '../kv/image.ts';
import type { Store } from '../kv/store.ts';
import type { SnapshotHead } from '../ports/storage.ts';
import { isConfiguration } from '../raft/configuration.ts';
import type { Position } from '../raft/entry.ts';
import { decodeRecord, encodeRecord, isCount } from './record.ts';

/** The format that this version reads and writes. */
const FORMAT = 1;
/** Characters of lines that are hashed at a time. */
const HASHED = 65_536;

/** A snapshot that was read whole. */
export interface LoadedSnapshot {
  readonly head: SnapshotHead;
  readonly state: Store;
  readonly hash: string;
}

/** The sum of the lines before the last, gathered so that few calls are made. */
class LinesHash {
  readonly #hash = createHash('sha256');
  #held = '';

  add(line: string): void {
    this.#held += line;
    this.#held += '\n';
    if (this.#held.length >= HASHED) this.#flush();
  }

  get digest(): string {
    this.#flush();
    return this.#hash.copy().digest('hex');
  }

  #flush(): void {
    this.#hash.update(this.#held);
    this.#held = '';
  }
}

/**
 * The lines of a snapshot, made a few at a time: its head, the records of the state, and a last line with the number
 * and the SHA-256 of those before it. Each is a record like those of the log, with its own CRC.
 */
export class SnapshotSource {
  readonly #head: SnapshotHead;
  readonly #records: Iterator<unknown>;
  readonly #hash = new LinesHash();
  #lines = 0;
  #result: string | undefined;

  constructor(head: SnapshotHead, records: Iterator<unknown>) {
    this.#head = head;
    this.#records = records;
  }

  /** The SHA-256 in its last line, once that has been taken. */
  get hash(): string | undefined {
    return this.#result;
  }

  /** More lines, at least one, each with its newline, until there are enough characters of them; none at the end. */
  take(isEnough: (characters: number) => boolean): string {
    let text = '';
    while (this.#result === undefined) {
      text += this.#next();
      text += '\n';
      if (isEnough(text.length)) break;
    }
    return text;
  }

  #next(): string {
    const content = this.#content();
    if (content === undefined) {
      this.#result = this.#hash.digest;
      return encodeRecord({ lines: this.#lines, sha256: this.#result });
    }
    const line = encodeRecord(content);
    this.#hash.add(line);
    this.#lines += 1;
    return line;
  }

  #content(): unknown {
    if (this.#lines === 0) return { format: FORMAT, ...this.#head };
    const { done, value } = this.#records.next();
    return done === true ? undefined : value;
  }
}

/** A snapshot of a later version, which this one must leave alone. */
export class FutureSnapshot extends Error {}

/**
 * Checks the lines of a snapshot against their sums, whatever the state is that they make. Throws, with what is wrong, at
 * the first line that cannot belong there.
 */
export class SnapshotCheck {
  readonly #hash = new LinesHash();
  #head: SnapshotHead | undefined;
  #lines = 0;
  #sum: string | undefined;

  get head(): SnapshotHead | undefined {
    return this.#head;
  }

  /** The SHA-256 of the lines before the last, once that was taken. */
  get hash(): string | undefined {
    return this.#sum;
  }

  /** Returns the record of the state that a line holds; undefined for the first and the last. */
  take(line: string): unknown {
    const content = decodeRecord(line);
    if (content === undefined) throw new Error('the checksum of this record does not fit its text');
    if (this.#sum !== undefined) throw new Error('there is a record behind the last');
    const last = footOf(content);
    if (last === undefined) {
      this.#hash.add(line);
      this.#lines += 1;
      if (this.#head !== undefined) return content;
      this.#head = headOf(content);
      return undefined;
    }
    if (this.#head === undefined) throw new Error('it does not begin as a snapshot does');
    if (last.lines !== this.#lines) throw new Error(`it has ${this.#lines} lines, and should ${last.lines}`);
    if (last.sha256 !== this.#hash.digest)
      throw new Error('its lines do not have the SHA-256 that its last tells');
    this.#sum = last.sha256;
    return undefined;
  }
}

/** Puts a snapshot together from its lines. Throws as `SnapshotCheck` does, and where they make no state. */
export class SnapshotReader {
  readonly #check = new SnapshotCheck();
  readonly #image = new ImageReader();
  #loaded: LoadedSnapshot | undefined;

  /** What was read, once the last line was. */
  get loaded(): LoadedSnapshot | undefined {
    return this.#loaded;
  }

  take(line: string): void {
    const record = this.#check.take(line);
    const { head, hash } = this.#check;
    if (record !== undefined) this.#image.take(record);
    else if (head !== undefined && hash !== undefined)
      this.#loaded = { head, state: this.#image.finish(), hash };
  }
}

function footOf(content: unknown): { readonly lines: number; readonly sha256: string } | undefined {
  const { lines, sha256 } = (content ?? {}) as Record<string, unknown>;
  return isCount(lines) && typeof sha256 === 'string' ? { lines, sha256 } : undefined;
}

/** What the first line of a snapshot says. Throws where it is none. */
export function headOf(content: unknown): SnapshotHead {
  const { format, index, term, configuration, base } = (content ?? {}) as Record<string, unknown>;
  if (typeof format === 'number' && format > FORMAT) {
    throw new FutureSnapshot(`it has format ${format}, and this version reads format ${FORMAT}`);
  }
  const isHead = format === FORMAT && isCount(index) && index > 0 && isCount(term);
  if (!isHead || !isConfiguration(configuration) || !isPosition(base) || base.index > index) {
    throw new Error('it does not begin with what a snapshot stands for');
  }
  return { index, term, configuration, base };
}

function isPosition(value: unknown): value is Position {
  const { index, term } = (value ?? {}) as Record<string, unknown>;
  return isCount(index) && isCount(term);
}
