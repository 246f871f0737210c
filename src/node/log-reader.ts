import type { Entry } from '../raft/entry.ts';
import { damaged } from './data-error.ts';
import type { FileSystem } from './file-system.ts';
import type { LogIndex, Run } from './log-index.ts';
import { entryOf, parseJson } from './record.ts';
import { RecordReader } from './record-reader.ts';

/** Bytes read at a time: a little more than lies between two marks of the index. */
const PIECE = 131_072;

/** An open segment. */
interface OpenSegment {
  readonly path: string;
  readonly fd: number;
}

/** Reads entries back from the segments, for a follower so far behind that nobody remembers them. */
export class LogReader {
  readonly #files: FileSystem;
  readonly #index: LogIndex;
  readonly #open: (segment: number) => OpenSegment;
  readonly #close: (fd: number) => void;
  readonly #found: Entry[] = [];
  #room = 0;

  constructor(
    files: FileSystem,
    index: LogIndex,
    open: (segment: number) => OpenSegment,
    close: (fd: number) => void,
  ) {
    this.#files = files;
    this.#index = index;
    this.#open = open;
    this.#close = close;
  }

  read(from: number, to: number, bytes: number): Entry[] {
    this.#room = bytes;
    for (let next = from; next <= to && this.#room > 0; next = from + this.#found.length) {
      const run = this.#index.find(next);
      if (run === undefined) throw new RangeError(`journal: entry ${next} was never written`);
      const segment = this.#open(run.segment);
      try {
        this.#readRun(segment, run, next, Math.min(to, run.until - 1));
      } finally {
        this.#close(segment.fd);
      }
    }
    return this.#found;
  }

  /** Reads from `from` to `to` within a run, or until there is no room; the entries before `from` are only counted. */
  #readRun({ path, fd }: OpenSegment, run: Run, from: number, to: number): void {
    const reader = new RecordReader(this.#files, fd, run.offset, PIECE);
    let index = run.index;
    while (index <= to) {
      if (!reader.next()) damaged(path, reader.offset, `the file ends, and entry ${index} was written to it`);
      if (!reader.isArray) continue;
      index += 1;
      if (index <= from) continue;
      const entry = reader.isSound ? entryOf(parseJson(reader.json), reader.size) : undefined;
      if (entry?.index !== index - 1)
        damaged(path, reader.offset, `this record was written as entry ${index - 1}`);
      entry.line = reader.line;
      this.#room -= reader.size + 1;
      if (this.#room < 0 && this.#found.length > 0) return;
      this.#found.push(entry);
    }
  }
}
