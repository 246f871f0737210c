import type { Store } from '../kv/store.ts';
import type { Clock } from '../ports/clock.ts';
import type { SnapshotExtent, SnapshotHead, SnapshotPiece, Snapshots } from '../ports/storage.ts';
import type { Position } from '../raft/entry.ts';
import { AppendFile } from './append-file.ts';
import { codeOf, FILE_MODE, type FileSystem, isNoSpace } from './file-system.ts';
import { IncomingSnapshot } from './incoming-snapshot.ts';
import { RecordReader } from './record-reader.ts';
import { listSnapshots, type NamedSnapshot, snapshotPath } from './snapshot-name.ts';
import { SnapshotSource } from './snapshot-records.ts';
import { SnapshotWriter } from './snapshot-writer.ts';
import type { SpareDescriptor } from './spare-descriptor.ts';

export interface SnapshotFilesParts {
  readonly files: FileSystem;
  readonly spare: SpareDescriptor;
  readonly clock: Clock;
  readonly directory: string;
  /** The newest, which was read whole, and the one before it, which takes its place if it is ever found damaged. */
  readonly latest: SnapshotExtent | undefined;
  readonly previous: Position | undefined;
  readonly fatal: (error: Error) => void;
  readonly warn: (message: string) => void;
}

/**
 * The snapshots of a node on its disk. The newest two stay, and the log goes back to the older one: so a damaged file
 * takes nothing away that the other files do not have. A file comes into being under another name, and gets its own
 * when all of it is on the disk.
 */
export class SnapshotFiles implements Snapshots<Store> {
  readonly #parts: SnapshotFilesParts;
  /** How each snapshot that this process has written or read is known again. */
  readonly #known = new Map<string, SnapshotExtent>();
  #latest: SnapshotExtent | undefined;
  #previous: Position | undefined;
  #keepsFrom: number;
  #writer: SnapshotWriter | undefined;
  #incoming: IncomingSnapshot | undefined;
  #isClosed = false;
  /** Files on their way to the disk, and who waits until none is. */
  #underWay = 0;
  #whenAtRest: (() => void) | undefined;

  constructor(parts: SnapshotFilesParts) {
    this.#parts = parts;
    this.#latest = parts.latest;
    this.#previous = parts.previous;
    this.#keepsFrom = parts.previous?.index ?? 0;
    if (parts.latest !== undefined) this.#known.set(this.#path(parts.latest), parts.latest);
  }

  get latest(): SnapshotExtent | undefined {
    return this.#latest;
  }

  get keepsFrom(): number {
    return this.#keepsFrom;
  }

  #path(position: Position): string {
    return snapshotPath(this.#parts.directory, position);
  }

  write(
    head: SnapshotHead,
    records: Iterator<unknown>,
    done: (written: SnapshotExtent | undefined) => void,
  ): void {
    const { files, clock, warn } = this.#parts;
    const file = this.#create(`${this.#path(head)}.tmp`);
    if (file === undefined) {
      warn(`there is no room on the disk for a snapshot of entry ${head.index}; the log goes on growing`);
      clock.soon(() => done(undefined));
      return;
    }
    const source = new SnapshotSource(head, records);
    this.#underWay += 1;
    this.#writer = new SnapshotWriter(file, source, clock, (error, written) => {
      this.#writer = undefined;
      this.#parts.spare.close(file.fd);
      this.#ended();
      if (error !== null) this.#parts.fatal(error);
      else if (written === 'whole' && source.hash !== undefined && !this.#isClosed) {
        const extent = { index: head.index, term: head.term, bytes: file.size, hash: source.hash };
        this.#name(file.path, extent, () => done(extent));
      } else {
        remove(files, file.path);
        if (written === 'no room')
          warn(`there is no room on the disk for a snapshot of entry ${head.index}; the log goes on growing`);
        done(undefined);
      }
    });
  }

  giveUp(): void {
    this.#writer?.giveUp();
  }

  /** A new file; undefined when the disk has no room for one. */
  #create(path: string): AppendFile | undefined {
    const { files, spare } = this.#parts;
    try {
      return new AppendFile(files, path, spare.open(path, 'w', FILE_MODE), 0);
    } catch (error) {
      if (isNoSpace(error)) return undefined;
      throw error;
    }
  }

  /** Gives a file that is on the disk its name; what it stands for may go once that name is on the disk, too. */
  #name(temporary: string, extent: SnapshotExtent, done: () => void): void {
    const { files, spare, directory, fatal } = this.#parts;
    this.#underWay += 1;
    try {
      files.rename(temporary, this.#path(extent));
      const fd = spare.open(directory, 'r');
      files.fsync(fd, error => {
        spare.close(fd);
        this.#ended();
        if (error !== null) {
          fatal(error);
          return;
        }
        this.#known.set(this.#path(extent), extent);
        if (!this.#isClosed) done();
      });
    } catch (error) {
      this.#ended();
      fatal(error as Error);
    }
  }

  promote(extent: SnapshotExtent, isOwn: boolean): void {
    const isAgain = extent.index === this.#latest?.index;
    if (!isOwn) this.#previous = undefined;
    else if (!isAgain) this.#previous = this.#latest;
    this.#keepsFrom = isOwn ? (this.#previous?.index ?? 0) : extent.index;
    this.#latest = extent;
  }

  prune(needed: readonly Position[]): void {
    const { files, directory } = this.#parts;
    const kept = [this.#latest, this.#previous, ...needed].map(position => position && this.#path(position));
    for (const { path, index } of listSnapshots(files, directory).snapshots) {
      if (kept.includes(path) || index > (this.#latest?.index ?? 0)) continue;
      files.remove(path);
      this.#known.delete(path);
    }
  }

  piece(position: Position, offset: number, most: number): SnapshotPiece | undefined {
    const { files, spare } = this.#parts;
    const path = this.#path(position);
    const known = this.#known.get(path);
    if (known === undefined) return undefined;
    const lines: string[] = [];
    const fd = spare.open(path, 'r');
    try {
      const reader = new RecordReader(files, fd, offset, most + 65_536);
      let isSound = offset <= known.bytes;
      for (let size = 0; isSound && size < most && offset + size < known.bytes; ) {
        isSound = reader.next() && reader.isSound;
        if (!isSound) break;
        lines.push(reader.line);
        size += reader.size + 1;
      }
      if (isSound) return { lines, bytes: known.bytes, hash: known.hash };
    } finally {
      spare.close(fd);
    }
    this.#parts.warn(`${path} is damaged behind byte ${offset}: it is sent to nobody, and another is made`);
    this.#known.delete(path);
    return undefined;
  }

  receive(position: Position, hash: string): IncomingSnapshot | undefined {
    this.discard();
    const path = `${this.#path(position)}.incoming.tmp`;
    const file = this.#create(path);
    if (file === undefined) return undefined;
    this.#incoming = new IncomingSnapshot(file, position, hash);
    return this.#incoming;
  }

  keep(incoming: IncomingSnapshot, done: (extent: SnapshotExtent) => void): void {
    const { spare, fatal } = this.#parts;
    const { file, position, hash } = incoming;
    this.#underWay += 1;
    file.sync(error => {
      spare.close(file.fd);
      this.#ended();
      this.#incoming = undefined;
      if (error !== null) fatal(error);
      else if (!this.#isClosed) {
        const extent = { ...position, bytes: file.size, hash };
        this.#name(file.path, extent, () => done(extent));
      }
    });
    incoming.isKept = true;
  }

  discard(): void {
    const incoming = this.#incoming;
    if (incoming === undefined || incoming.isKept) return;
    this.#incoming = undefined;
    this.#parts.spare.close(incoming.file.fd);
    remove(this.#parts.files, incoming.file.path);
  }

  #ended(): void {
    this.#underWay -= 1;
    if (this.#underWay === 0) this.#whenAtRest?.();
  }

  /** Gives up what is under way, and resolves when nothing is any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.giveUp();
    this.discard();
    if (this.#underWay === 0) return;
    await new Promise<void>(resolve => {
      this.#whenAtRest = resolve;
    });
  }
}

/** Removes a file that nobody needs, if it is still there. */
function remove(files: FileSystem, path: string): void {
  try {
    files.remove(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Gives a damaged snapshot a name under which it is never loaded, and is there for whoever wants to see it. */
export function setAside(files: FileSystem, { path }: NamedSnapshot): string {
  const aside = `${path}.damaged`;
  files.rename(path, aside);
  return aside;
}
