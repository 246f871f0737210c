import type { Entry, Position } from '../raft/entry.ts';
import { damaged } from './data-error.ts';
import type { FileSystem } from './file-system.ts';
import { LogIndex } from './log-index.ts';
import { beginOf, commitOf, entryOf, parseJson } from './record.ts';
import { RecordReader, readRecords } from './record-reader.ts';
import { listSegments, type Segment, segmentPath } from './segment.ts';

/** Where a log begins, and what stands for its beginning: a snapshot, or nothing at all (0 and 0 both). */
export interface Beginnings {
  /** As the snapshot has it: a little before. */
  readonly base: Position;
  readonly snapshot: Position;
}

export interface ReplayOptions {
  /** False where nobody wants to know what the entries say: they are checked, and only where they stand is kept. */
  readonly keepsCommands?: boolean;
}

/**
 * Reads the segments of a log in the order in which they were written, and ends with the log that they leave: an
 * entry whose index is taken replaces that entry and all after it, and where the log begins anew, all before it is
 * gone. Reads only; whatever a crash cannot have left behind throws.
 */
export class Replay {
  readonly entries: Entry[] = [];
  readonly index = new LogIndex();
  readonly segments: Segment[] = [];
  /** Whether the log does not fit the snapshot, and so is nothing: the disk is still to be told. */
  isObsolete = false;
  /** Whether a torn record follows the last whole one. */
  isTorn = false;
  readonly #files: FileSystem;
  readonly #snapshot: Position;
  readonly #keepsCommands: boolean;
  #base: Position;
  /** The term that the log has at its base, where it was read. */
  #termAtBase: number | undefined;
  #commit: number;
  /** The index that the next entry has if it replaces nothing. */
  #next = 1;

  constructor(
    files: FileSystem,
    { base, snapshot }: Beginnings,
    { keepsCommands = true }: ReplayOptions = {},
  ) {
    this.#files = files;
    this.#keepsCommands = keepsCommands;
    this.#base = base;
    this.#snapshot = snapshot;
    this.#commit = base.index;
  }

  get base(): Position {
    return this.#base;
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
    const least = this.#snapshot.index + 1;
    // What the segments before hold, the snapshot stands for: they are there only in case it is lost.
    const skipped = listed.filter(
      (_, at) => (listed[at + 1]?.first ?? Number.POSITIVE_INFINITY) <= this.#base.index + 1,
    );
    this.segments.push(...skipped.map(segment => ({ ...segment, bytes: 0 })));
    const read = listed.slice(skipped.length);
    const first = read[0]?.first;
    if (first === undefined || first > least) {
      const words = `the segment that begins at or before entry ${least} is missing`;
      damaged(segmentPath(directory, least), 0, words);
    }
    if (first > this.#base.index + 1) this.#base = this.#snapshot;
    this.#next = first;
    for (const [at, segment] of read.entries()) {
      if (segment.first !== this.#next) {
        damaged(segment.path, 0, `the segment before it, from entry ${this.#next} on, is missing`);
      }
      this.#readSegment(segment.first, segment.path, at === read.length - 1);
    }
    this.#settle(segmentPath(directory, first));
  }

  /** Makes of what was read a log that fits the snapshot. */
  #settle(path: string): void {
    const { index, term } = this.#snapshot;
    if (this.#base.index > index) {
      damaged(
        path,
        0,
        `the log begins behind entry ${this.#base.index}, and no snapshot stands for what was before`,
      );
    }
    this.#commit = Math.max(this.#commit, index);
    const termThere =
      index === this.#base.index
        ? (this.#termAtBase ?? term)
        : this.entries[index - this.#base.index - 1]?.term;
    if (termThere === term && this.#next > index) return;
    // The snapshot came from a leader, and the node ended before the log could begin anew behind it; or it was made of
    // entries that others had on their disks, and the power went before they were on this one.
    this.isObsolete = true;
    this.entries.length = 0;
    this.index.clear();
    this.#base = this.#snapshot;
    this.#commit = index;
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
      const fault = this.#append(this.#keepsCommands ? entry : { ...entry, command: null });
      if (fault !== undefined) damaged(path, reader.offset, fault);
      this.index.note(entry.index, segment, reader.offset);
      return;
    }
    const begin = beginOf(content);
    if (begin !== undefined) {
      this.#begin(begin);
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

  /** The log begins anew: a snapshot came that did not fit what was here. */
  #begin(begin: Position): void {
    this.entries.length = 0;
    this.index.clear();
    this.#next = begin.index + 1;
    if (begin.index < this.#base.index) return;
    this.#base = begin;
    this.#termAtBase = begin.term;
    this.#commit = Math.max(this.#commit, begin.index);
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
      if (kept === -1) this.#termAtBase = term;
      return undefined;
    }
    if (index <= this.#commit)
      return `entry ${index} replaces an entry although ${this.#commit} was committed`;
    if (kept < this.entries.length) this.entries.length = kept;
    const before = this.entries.at(-1)?.term ?? 0;
    if (term < before) return `entry ${index} has term ${term}, the one before it ${before}`;
    this.entries.push(entry);
    return undefined;
  }
}
