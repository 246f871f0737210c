import type { Entry } from '../raft/entry.ts';
import { damaged } from './data-error.ts';
import type { FileSystem } from './file-system.ts';
import { LogIndex } from './log-index.ts';
import { commitOf, entryOf, parseJson } from './record.ts';
import { RecordReader, readRecords } from './record-reader.ts';
import { listSegments, type Segment, segmentPath } from './segment.ts';

/** The last entry that something else stands for: a snapshot, or nothing at all (0 and 0). */
export interface Base {
  readonly index: number;
  readonly term: number;
}

/**
 * Reads the segments of a log in the order in which they were written, and ends with the log that they leave: an
 * entry whose index is taken replaces that entry and all after it. Reads only; whatever a crash cannot have left
 * behind throws.
 */
export class Replay {
  readonly entries: Entry[] = [];
  readonly index = new LogIndex();
  readonly segments: Segment[] = [];
  /** Whether a torn record follows the last whole one. */
  isTorn = false;
  readonly #files: FileSystem;
  readonly #base: Base;
  #commit: number;
  /** The index that the next entry has if it replaces nothing. */
  #next = 1;

  constructor(files: FileSystem, base: Base) {
    this.#files = files;
    this.#base = base;
    this.#commit = base.index;
  }

  get commit(): number {
    return this.#commit;
  }

  /** The index of the last entry, or the base's. */
  get last(): number {
    return this.#base.index + this.entries.length;
  }

  get lastTerm(): number {
    return this.entries.at(-1)?.term ?? this.#base.term;
  }

  read(directory: string): void {
    const listed = listSegments(this.#files, directory);
    const first = listed[0]?.first;
    const least = this.#base.index + 1;
    if (first === undefined || first > least) {
      damaged(
        segmentPath(directory, least),
        0,
        `the segment that begins at or before entry ${least} is missing`,
      );
    }
    this.#next = first;
    for (const [at, segment] of listed.entries()) {
      if (segment.first !== this.#next) {
        if (segment.first !== least) {
          damaged(segment.path, 0, `the segment before it, from entry ${this.#next} on, is missing`);
        }
        // Right behind the base the log may begin anew: a snapshot came that did not fit what was here.
        this.entries.length = 0;
      }
      this.#next = segment.first;
      this.#readSegment(segment.first, segment.path, at === listed.length - 1);
    }
  }

  #readSegment(first: number, path: string, isLast: boolean): void {
    const fd = this.#files.open(path, 'r');
    try {
      const reader = new RecordReader(this.#files, fd);
      const bytes = readRecords(reader, path, () => this.#take(reader, first, path));
      const rest = reader.rest.length;
      // The next segment was begun only when everything in this one was durable.
      if (rest > 0 && !isLast)
        damaged(path, bytes, 'its last record is cut off, and another segment follows');
      this.isTorn = rest > 0;
      this.segments.push({ first, path, bytes });
    } finally {
      this.#files.close(fd);
    }
  }

  #take(reader: RecordReader, segment: number, path: string): void {
    const content = parseJson(reader.json);
    const entry = entryOf(content, reader.size);
    if (entry !== undefined) {
      const fault = this.#append(entry);
      if (fault !== undefined) damaged(path, reader.offset, fault);
      this.index.note(entry.index, segment, reader.offset);
      return;
    }
    const commit = commitOf(content);
    if (commit === undefined)
      damaged(path, reader.offset, 'this record is neither an entry nor a commit point');
    if (commit >= this.#next) {
      damaged(
        path,
        reader.offset,
        `commit point ${commit} is beyond entry ${this.#next - 1}, the last there is`,
      );
    }
    this.#commit = Math.max(this.#commit, commit);
  }

  /** Takes an entry on, or says why it cannot be. */
  #append(entry: Entry): string | undefined {
    const { index, term } = entry;
    if (index > this.#next) return `entry ${index} follows entry ${this.#next - 1}`;
    this.#next = index + 1;
    const kept = index - this.#base.index - 1;
    if (kept < 0) {
      // Older than the snapshot; if it replaced something, whatever stood after it was replaced as well.
      this.entries.length = 0;
      return undefined;
    }
    if (index <= this.#commit)
      return `entry ${index} replaces an entry although ${this.#commit} was committed`;
    if (kept < this.entries.length) this.entries.length = kept;
    if (term < this.lastTerm) return `entry ${index} has term ${term}, the one before it ${this.lastTerm}`;
    this.entries.push(entry);
    return undefined;
  }
}
