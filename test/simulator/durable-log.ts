import { SimDirectory } from './sim-directory.ts';
import type { SimDisk } from './sim-disk.ts';
import { SimFile } from './sim-file.ts';

/** An entry as it stands on a disk: its term, and the checksum of its record. */
export interface DurableEntry {
  readonly term: number;
  readonly sum: string;
}

/** How far a file has been read. */
interface Reading {
  readonly file: SimFile;
  offset: number;
}

/**
 * What a node's disk holds for certain, read by other code than the node's own: the entries of its log, the snapshots
 * that stand for what was before, and every vote that ever became durable. This is what the node may promise, whatever
 * it believes itself.
 */
export class DurableLog {
  readonly #disk: SimDisk;
  readonly #path: string;
  /** The index before the first entry; the entry at index n is at n - 1 - base. */
  #base = 0;
  #entries: DurableEntry[] = [];
  #segments: Reading[] = [];
  /** The place among the segments of the one that is read next. */
  #reading = 0;
  #log: SimDirectory | undefined;
  #version = 0;
  #snapshots: SimDirectory | undefined;
  #snapshotsVersion = 0;
  #snapshot = 0;
  #vote: Reading | undefined;
  #highest = 0;
  #term = 0;
  readonly #votes = new Map<number, string>();

  constructor(disk: SimDisk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }

  get last(): number {
    return Math.max(this.#base + this.#entries.length, this.#snapshot);
  }

  /** The index that the newest snapshot stands for, and all before it; 0 while there is none. */
  get snapshot(): number {
    return this.#snapshot;
  }

  /** The highest index that was ever durable. */
  get highest(): number {
    return this.#highest;
  }

  /** The term that the node will know of after a crash. */
  get term(): number {
    return this.#term;
  }

  entryAt(index: number): DurableEntry | undefined {
    return this.#entries[index - 1 - this.#base];
  }

  /** Whether a committed entry is there, by itself or in a snapshot. */
  holds(index: number, { term, sum }: DurableEntry): boolean {
    if (index <= this.#snapshot) return true;
    const entry = this.entryAt(index);
    return entry?.term === term && entry.sum === sum;
  }

  /** For whom the node voted in a term, if that is durable. */
  voteIn(term: number): string | undefined {
    return this.#votes.get(term);
  }

  /** The power was lost: the disk is read from the beginning. */
  forget(): void {
    this.#segments = [];
    this.#log = undefined;
    this.#snapshots = undefined;
    this.#snapshot = 0;
    this.#vote = undefined;
  }

  /** Reads what has become durable since the last time. */
  update(): void {
    const data = this.#disk.root.durable.get(this.#path.slice(1));
    if (!(data instanceof SimDirectory)) return;
    const vote = data.durable.get('vote.ndjson');
    if (vote instanceof SimFile) this.#readVotes(vote);
    const snapshots = data.durable.get('snapshots');
    if (snapshots instanceof SimDirectory) this.#listSnapshots(snapshots);
    const log = data.durable.get('log');
    if (log instanceof SimDirectory) this.#readLog(log);
  }

  #readVotes(file: SimFile): void {
    if (this.#vote?.file !== file) this.#vote = { file, offset: 0 };
    for (const json of linesOf(this.#vote)) {
      const { term, vote } = JSON.parse(json.slice(9)) as { term: number; vote: string | null };
      this.#term = term;
      if (vote !== null) this.#votes.set(term, vote);
    }
  }

  /** A snapshot counts when its name is durable and its file is, to the last line. */
  #listSnapshots(snapshots: SimDirectory): void {
    if (this.#snapshots === snapshots && this.#snapshotsVersion === snapshots.version) return;
    this.#snapshots = snapshots;
    this.#snapshotsVersion = snapshots.version;
    const whole = [...snapshots.durable].filter(([name, file]) => isSnapshot(name) && isWhole(file));
    this.#snapshot = Math.max(0, ...whole.map(([name]) => Number.parseInt(name, 10)));
    this.#highest = Math.max(this.#highest, this.#snapshot);
  }

  #readLog(log: SimDirectory): void {
    if (this.#log !== log || this.#version !== log.version) this.#list(log);
    for (let at = this.#reading; at < this.#segments.length; at += 1) {
      const segment = this.#segments[at];
      if (segment === undefined) return;
      this.#reading = at;
      if (segment.file.synced > segment.offset) for (const line of linesOf(segment)) this.#take(line);
      // What follows a segment with a hole at its end counts for nothing.
      if (segment.offset < segment.file.size) return;
    }
  }

  /** Takes in which segments there are. */
  #list(log: SimDirectory): void {
    this.#log = log;
    this.#version = log.version;
    const names = [...log.durable.keys()].sort();
    const files = names.map(name => log.durable.get(name)).filter(item => item instanceof SimFile);
    const [first] = files;
    const gone = this.#segments.findIndex(({ file }) => file === first);
    const left = this.#segments.slice(Math.max(gone, 0));
    const base = Number.parseInt(names[0] ?? '1', 10) - 1;
    if (gone === -1 || left.some(({ file }, at) => file !== files[at])) {
      this.#segments = [];
      this.#entries = [];
      this.#reading = 0;
      this.#base = base;
    } else {
      this.#segments = left;
      this.#reading = Math.max(0, this.#reading - gone);
      if (base > this.#base) {
        this.#entries.splice(0, base - this.#base);
        this.#base = base;
      }
    }
    for (const file of files.slice(this.#segments.length)) this.#segments.push({ file, offset: 0 });
  }

  #take(line: string): void {
    if (line.startsWith('{"begin"', 9)) {
      const { begin } = JSON.parse(line.slice(9)) as { begin: [number, number] };
      this.#base = begin[0];
      this.#entries = [];
      return;
    }
    if (line[9] !== '[') return;
    const comma = line.indexOf(',', 10);
    const index = Number(line.slice(10, comma));
    const term = Number(line.slice(comma + 1, line.indexOf(',', comma + 1)));
    const at = index - 1 - this.#base;
    if (at > this.#entries.length || at < 0) return; // behind a hole
    this.#entries.length = at;
    this.#entries.push({ term, sum: line.slice(0, 8) });
    this.#highest = Math.max(this.#highest, index);
  }
}

function isSnapshot(name: string): boolean {
  return /^\d+-\d+\.ndjson$/.test(name);
}

function isWhole(file: SimFile | SimDirectory): boolean {
  if (!(file instanceof SimFile) || file.synced < file.size) return false;
  const lines = file.syncedText(0).split('\n');
  const last = lines.at(-2)?.slice(9) ?? '{}';
  return lines.at(-1) === '' && (JSON.parse(last) as { lines?: number }).lines === lines.length - 2;
}

/** The whole lines that a file has durably beyond what was read of it. */
function linesOf(reading: Reading): string[] {
  const text = reading.file.syncedText(reading.offset);
  const end = text.lastIndexOf('\n');
  if (end === -1) return [];
  reading.offset += end + 1;
  return text.slice(0, end).split('\n');
}
