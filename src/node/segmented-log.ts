import type { LogExtent } from '../ports/storage.ts';
import type { Entry, Position } from '../raft/entry.ts';
import { AppendFile } from './append-file.ts';
import { type Done, FILE_MODE, type FileSystem, isNoSpace } from './file-system.ts';
import type { LogIndex } from './log-index.ts';
import { LogReader } from './log-reader.ts';
import { beginLine, encodeRecord, entryLine, recordsOf } from './record.ts';
import { type Segment, segmentPath } from './segment.ts';
import type { SpareDescriptor } from './spare-descriptor.ts';

/** The files of a log as they were found, or laid out. */
export interface LogParts {
  readonly files: FileSystem;
  readonly spare: SpareDescriptor;
  /** The directory of the segments, and a descriptor of it. */
  readonly directory: string;
  readonly directoryFd: number;
  /** At least one, in order; `current` is the last of them, open. */
  readonly segments: readonly Segment[];
  readonly current: AppendFile;
  readonly index: LogIndex;
  readonly base: Position;
  /** The index of the last entry. */
  readonly last: number;
  /** A segment that has grown to this many bytes is the last but one. */
  readonly segmentBytes: number;
}

/** The log of a node on its disk: segments of which the last one grows. */
export class SegmentedLog {
  readonly #parts: LogParts;
  /** Segments that are written to no more, oldest first. */
  #closed: Segment[];
  #first: number;
  #file: AppendFile;
  #base: Position;
  #last: number;
  #owed: number;

  constructor(parts: LogParts) {
    this.#parts = parts;
    this.#closed = parts.segments.slice(0, -1);
    this.#first = parts.segments.at(-1)?.first ?? parts.base.index + 1;
    this.#file = parts.current;
    this.#base = parts.base;
    this.#last = parts.last;
    this.#owed = parts.current.size;
  }

  get base(): Position {
    return this.#base;
  }

  /** The index of the last entry that is written. */
  get last(): number {
    return this.#last;
  }

  get extent(): LogExtent {
    const first = this.#base.index + 1;
    return { first, last: this.#last, bytes: first > this.#last ? 0 : this.#bytesFrom(first) };
  }

  /** About how many bytes the entries from one on take. What stands before is kept only in case a snapshot is lost. */
  #bytesFrom(index: number): number {
    const run = this.#parts.index.find(index);
    if (run === undefined) return 0;
    const later = this.#closed.filter(segment => segment.first >= run.segment);
    return later.reduce((sum, segment) => sum + segment.bytes, this.#file.size) - run.offset;
  }

  /** Whether every entry is on the disk. Commit points behind the last entry may not be. */
  get isDurable(): boolean {
    return this.#file.durable >= this.#owed;
  }

  /** Whether everything is on the disk. */
  get isWhollyDurable(): boolean {
    return this.#file.durable === this.#file.size;
  }

  /** Writes entries, and behind them a commit point if there is one; false, with nothing written, when the disk is full. */
  append(entries: readonly Entry[], commit: number | undefined): boolean {
    const { text } = recordsOf(entries);
    const point = commit === undefined ? '' : `${encodeRecord({ commit })}\n`;
    let offset = this.#file.size;
    if (!this.#file.append(text === '' ? point : `${text}\n${point}`)) return false;
    const isPlain = this.#file.size - offset === text.length + 1 + point.length;
    for (const entry of entries) {
      this.#parts.index.note(entry.index, this.#first, offset);
      const line = entryLine(entry);
      offset += (isPlain ? line.length : Buffer.byteLength(line)) + 1;
      this.#last = entry.index;
    }
    if (entries.length > 0) this.#owed = this.#file.size;
    return true;
  }

  /** Begins anew behind a snapshot; false, with nothing written, when the disk is full. */
  restart(base: Position): boolean {
    if (!this.#file.append(`${beginLine(base)}\n`)) return false;
    this.#owed = this.#file.size;
    this.#parts.index.clear();
    this.#base = base;
    this.#last = base.index;
    return true;
  }

  /** Makes durable what has been written until now. */
  sync(done: Done): void {
    this.#file.sync(done);
  }

  /**
   * Whether the next entries are to begin a new segment, which is named after what the log would get next. Where it
   * was cut short by replacements it must first outgrow the name of the last segment: so names come in the order of
   * writing, and each fits the segment before it exactly, which shows a missing one.
   */
  get wantsSegment(): boolean {
    return this.#file.size >= this.#parts.segmentBytes && this.#last >= this.#first;
  }

  /** Begins a new segment, once everything is durable; false when the disk has no room for one. */
  beginSegment(done: Done): boolean {
    const { files, spare, directory, directoryFd } = this.#parts;
    const first = this.#last + 1;
    const path = segmentPath(directory, first);
    let fd: number;
    try {
      fd = spare.open(path, 'wx+', FILE_MODE);
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      return false;
    }
    this.#closed.push(this.#current());
    spare.close(this.#file.fd);
    this.#first = first;
    this.#file = new AppendFile(files, path, fd, 0);
    this.#owed = 0;
    files.fsync(directoryFd, done);
    return true;
  }

  /** Entries that are written, from `from` up to `to`, but no more than so many bytes of them, and one at least. */
  read(from: number, to: number, bytes: number): Entry[] {
    const { files, spare, index } = this.#parts;
    const open = (first: number) => {
      const segment = this.#closed.find(closed => closed.first === first) ?? this.#current();
      const isCurrent = segment.path === this.#file.path;
      return { path: segment.path, fd: isCurrent ? this.#file.fd : spare.open(segment.path, 'r') };
    };
    const close = (fd: number) => {
      if (fd !== this.#file.fd) spare.close(fd);
    };
    return new LogReader(files, index, open, close).read(from, to, bytes);
  }

  /**
   * Begins behind an entry for which a snapshot now stands, and removes the segments that hold nothing but entries up
   * to `through`, which may be earlier.
   */
  compact(base: Position, through: number, done: Done): void {
    const { files, index, directoryFd } = this.#parts;
    if (base.index > this.#base.index) this.#base = base;
    const firsts = [...this.#closed.map(segment => segment.first), this.#first];
    const count = firsts.filter((first, at) => at > 0 && first <= through + 1).length;
    if (count === 0) return;
    // The oldest goes first, so that a crash on the way leaves no gap.
    for (const segment of this.#closed.slice(0, count)) files.remove(segment.path);
    this.#closed = this.#closed.slice(count);
    index.dropBefore(firsts[count] ?? this.#first);
    files.fsync(directoryFd, done);
  }

  /** Waits until the disk has everything. */
  syncNow(): void {
    if (!this.isWhollyDurable) this.#parts.files.fsyncNow(this.#file.fd);
  }

  close(): void {
    this.#parts.spare.close(this.#file.fd);
    this.#parts.files.close(this.#parts.directoryFd);
  }

  #current(): Segment {
    return { first: this.#first, path: this.#file.path, bytes: this.#file.size };
  }
}
