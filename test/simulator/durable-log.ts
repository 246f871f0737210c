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
 * What a node's disk holds for certain, read by other code than the node's own: the entries of its log, and every
 * vote that ever became durable. This is what the node may promise, whatever it believes itself.
 */
export class DurableLog {
  readonly #disk: SimDisk;
  readonly #path: string;
  /** The entry at index n is at n - 1. */
  #entries: DurableEntry[] = [];
  #segments: Reading[] = [];
  /** The place among the segments of the one that is read next. */
  #reading = 0;
  #log: SimDirectory | undefined;
  #version = 0;
  #vote: Reading | undefined;
  #highest = 0;
  #term = 0;
  readonly #votes = new Map<number, string>();

  constructor(disk: SimDisk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }

  get last(): number {
    return this.#entries.length;
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
    return this.#entries[index - 1];
  }

  /** For whom the node voted in a term, if that is durable. */
  voteIn(term: number): string | undefined {
    return this.#votes.get(term);
  }

  /** The power was lost: the disk is read from the beginning. */
  forget(): void {
    this.#segments = [];
    this.#log = undefined;
    this.#vote = undefined;
  }

  /** Reads what has become durable since the last time. */
  update(): void {
    const data = this.#disk.root.durable.get(this.#path.slice(1));
    if (!(data instanceof SimDirectory)) return;
    const vote = data.durable.get('vote.ndjson');
    if (vote instanceof SimFile) this.#readVotes(vote);
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
    if (this.#segments.some(({ file }, at) => file !== files[at])) this.#segments = [];
    if (this.#segments.length === 0) {
      this.#entries = [];
      this.#reading = 0;
    }
    for (const file of files.slice(this.#segments.length)) this.#segments.push({ file, offset: 0 });
  }

  #take(line: string): void {
    if (line[9] !== '[') return;
    const comma = line.indexOf(',', 10);
    const index = Number(line.slice(10, comma));
    const term = Number(line.slice(comma + 1, line.indexOf(',', comma + 1)));
    if (index > this.#entries.length + 1) return; // behind a hole
    this.#entries.length = index - 1;
    this.#entries.push({ term, sum: line.slice(0, 8) });
    this.#highest = Math.max(this.#highest, index);
  }
}

/** The whole lines that a file has durably beyond what was read of it. */
function linesOf(reading: Reading): string[] {
  const text = reading.file.syncedText(reading.offset);
  const end = text.lastIndexOf('\n');
  if (end === -1) return [];
  reading.offset += end + 1;
  return text.slice(0, end).split('\n');
}
