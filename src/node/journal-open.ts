import { randomBytes } from 'node:crypto';
import { accessSync, constants, existsSync, writeSync } from 'node:fs';
import { Store } from '../kv/store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Recovered, StorageListener } from '../ports/storage.ts';
import type { Position } from '../raft/entry.ts';
import { AppendFile } from './append-file.ts';
import { BallotFile } from './ballot-file.ts';
import { DataDirectory } from './data-directory.ts';
import { DataError, damaged } from './data-error.ts';
import { lockDirectory } from './directory-lock.ts';
import { codeOf, DISK, type FileSystem } from './file-system.ts';
import { Journal } from './journal.ts';
import { findStart, type Start } from './journal-start.ts';
import { beginLine } from './record.ts';
import { listSegments, segmentPath } from './segment.ts';
import { SegmentedLog } from './segmented-log.ts';
import { SnapshotFiles, setAside } from './snapshot-files.ts';
import { SpareDescriptor } from './spare-descriptor.ts';
import { systemClock } from './system-clock.ts';

export interface JournalOptions {
  /** Marks a new directory, unlike any other; random unless told. */
  readonly newInstance?: () => string;
  /** Bytes after which a segment is full. */
  readonly segmentBytes?: number;
  /** Bytes after which the file of ballots is written anew. */
  readonly ballotBytes?: number;
  readonly files?: FileSystem;
  readonly clock?: Clock;
  /** Is told what the node must not outlive; by default it says so and ends the process. */
  readonly fatal?: (error: Error) => void;
  /** Is told what went wrong and was put right. */
  readonly warn?: (message: string) => void;
}

/** A data directory that is this process's own, and what was in it. */
export interface OpenedJournal {
  readonly storage: Journal;
  readonly recovered: Recovered;
  /** The state that the newest snapshot holds; an empty one where there is none. */
  readonly state: Store;
  /** The cluster that the directory belongs to, or null when the node is part of none yet. */
  readonly cluster: string | null;
  /** Tells this directory from every other. */
  readonly instance: string;
  /** The marks of the other nodes' directories, as they were when this node first met each. */
  readonly peers: Readonly<Record<string, string>>;
  /** Writes the mark of one more. */
  readonly remember: (peer: string, instance: string) => void;
  /** Writes that the node was removed from its cluster. */
  readonly dismiss: () => void;
  /** Writes that the node is part of a cluster from now on. */
  readonly join: (cluster: string) => void;
}

/** Whose directory it is to be. */
interface NodeIdentity {
  readonly node: string;
  readonly cluster?: string;
}

/**
 * Opens the data directory of a node, and makes one where there is none. Everything is read and checked before
 * anything is changed; what is not as it must be throws a `DataError`.
 */
export async function openJournal(
  path: string,
  identity: NodeIdentity,
  listener: StorageListener,
  options: JournalOptions = {},
): Promise<OpenedJournal> {
  makeDirectory(options.files ?? DISK, path);
  const lock = await lockDirectory(path);
  try {
    checkAccess(path);
    return openLocked(path, identity, listener, { ...options, release: () => lock.release() });
  } catch (error) {
    lock.release();
    throw inWords(path, error);
  }
}

/**
 * A node that may not make files here would find out when the log is compacted, as all of them do at the same entry:
 * it is better not to start.
 */
function checkAccess(path: string): void {
  const { log, snapshots } = new DataDirectory(DISK, path);
  for (const directory of [path, log, snapshots]) {
    if (existsSync(directory)) accessSync(directory, constants.W_OK | constants.X_OK);
  }
}

/** What the system refused, as something that a person can act on; what is no failure of the disk stays as it is. */
function inWords(path: string, error: unknown): unknown {
  if (codeOf(error) === undefined) return error;
  const isForbidden = codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM';
  const remedy = isForbidden
    ? 'let the user that runs this node own it, and all that is in it'
    : 'check the disk';
  const words = `${path} cannot be opened: ${(error as Error).message}; ${remedy}, then start this node again`;
  return new DataError('unusable', words, path);
}

function randomMark(): string {
  return randomBytes(8).toString('hex');
}

/** Opens a data directory that no other process can have. `release`: told when everything in it is closed. */
export function openLocked(
  path: string,
  { node, cluster }: NodeIdentity,
  listener: StorageListener,
  options: JournalOptions & { readonly release?: () => void },
): OpenedJournal {
  const files = options.files ?? DISK;
  makeDirectory(files, path);
  return new Opening(files, path, options).open(
    node,
    cluster ?? null,
    listener,
    options.release ?? (() => {}),
  );
}

class Opening {
  readonly #files: FileSystem;
  readonly #directory: DataDirectory;
  readonly #options: JournalOptions;
  readonly #warn: (message: string) => void;

  constructor(files: FileSystem, path: string, options: JournalOptions) {
    this.#files = files;
    this.#directory = new DataDirectory(files, path);
    this.#options = options;
    this.#warn = options.warn ?? toStandardError;
  }

  open(node: string, cluster: string | null, listener: StorageListener, release: () => void): OpenedJournal {
    const directory = this.#directory;
    const found = directory.identity();
    const instance = found?.instance ?? (this.#options.newInstance ?? randomMark)();
    if (found === undefined) {
      this.#refuseLeftovers();
      directory.layOut(segmentPath(directory.log, 1));
      directory.claim({ node, cluster, instance });
    } else {
      directory.check(found, node, cluster);
    }
    const start = findStart(this.#files, directory);
    const { replay, snapshot, vote } = start;
    const isNew = found !== undefined && found.cluster === null && cluster !== null;
    if (isNew || (found !== undefined && found.instance === undefined))
      directory.claim({ ...found, cluster: found.cluster ?? cluster, instance });
    const storage = this.#start(start, listener, release);
    const { base, entries, commit } = replay;
    const { head, state = new Store() } = snapshot ?? {};
    return {
      storage,
      recovered: {
        ballot: vote.ballot,
        base,
        entries,
        commit,
        ...(found?.removed === true && { wasMember: true }),
        ...(head && { snapshot: positionOf(head), configuration: head.configuration }),
      },
      state,
      cluster: found?.cluster ?? cluster,
      instance,
      peers: found?.peers ?? {},
      remember: (peer, mark) => directory.remember(peer, mark),
      dismiss: () => directory.dismiss(),
      join: name => directory.join(name),
    };
  }

  /** A directory without `node.json` must be new, or one whose making was interrupted: it holds no data yet. */
  #refuseLeftovers(): void {
    const { node, vote, log } = this.#directory;
    const segments = listSegments(this.#files, log);
    for (const path of [vote, ...segments.map(segment => segment.path)]) {
      if (!this.#isEmpty(path)) damaged(node, 0, `it is missing, but ${path} is there`);
    }
  }

  /** Whether there is nothing in a file, or no such file. */
  #isEmpty(path: string): boolean {
    let fd: number;
    try {
      fd = this.#files.open(path, 'r');
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      return true;
    }
    try {
      return this.#files.read(fd, Buffer.alloc(1), 0, 1, 0) === 0;
    } finally {
      this.#files.close(fd);
    }
  }

  #start(start: Start, listener: StorageListener, release: () => void): Journal {
    const files = this.#files;
    const directory = this.#directory;
    const { replay, vote } = start;
    const segment = replay.segments.at(-1);
    if (segment === undefined) throw new Error('a log without segments was read');
    const spare = new SpareDescriptor(files, directory.path);
    this.#tidySnapshots(start);
    const current = this.#openForWriting(segment.path, segment.bytes, replay.isTorn);
    if (replay.isObsolete) this.#beginAnew(current, replay.base);
    const directoryFd = files.open(directory.log, 'r');
    const ballots = this.#openForWriting(directory.vote, vote.end, vote.isTorn);
    const pathFd = files.open(directory.path, 'r');
    files.fsyncNow(directoryFd);
    files.fsyncNow(pathFd);
    const log = new SegmentedLog({
      files,
      spare,
      directory: directory.log,
      directoryFd,
      segments: replay.segments,
      current,
      index: replay.index,
      base: replay.base,
      last: replay.last,
      segmentBytes: this.#options.segmentBytes ?? 16_777_216,
    });
    const clock = this.#options.clock ?? systemClock;
    const fatal = (error: Error) => (this.#options.fatal ?? endProcess)(this.#explain(error));
    const { snapshot, previous } = start;
    const parts = {
      log,
      snapshots: new SnapshotFiles({
        files,
        spare,
        clock,
        directory: directory.snapshots,
        latest: snapshot && { ...positionOf(snapshot.head), bytes: snapshot.bytes, hash: snapshot.hash },
        previous,
        fatal,
        warn: this.#warn,
      }),
      ballots: new BallotFile(files, spare, ballots, pathFd, this.#options.ballotBytes),
      clock,
      lastTerm: replay.lastTerm,
      ballotTerm: vote.ballot.term,
      commit: replay.commit,
      fatal,
      release: () => {
        spare.release();
        release();
      },
    };
    return new Journal(parts, listener);
  }

  /**
   * Opens a file at its last whole record, and cuts off a torn one behind it. It is synced in any case: what a
   * process wrote before it was killed may still be only in the page cache, and is about to be relied on.
   */
  #openForWriting(path: string, end: number, isTorn: boolean): AppendFile {
    const fd = this.#files.open(path, 'r+');
    if (isTorn) {
      this.#files.truncate(fd, end);
      this.#warn(
        `${path}: a write was interrupted at byte ${end}; the torn record was never acknowledged and is dropped`,
      );
    }
    this.#files.fsyncNow(fd);
    return new AppendFile(this.#files, path, fd, end);
  }

  /** Clears away what nobody finished, and what is damaged and not needed; the latter only out of the way. */
  #tidySnapshots({ faults, unfinished }: Start): void {
    const files = this.#files;
    const { path, snapshots } = this.#directory;
    files.makeDirectory(snapshots); // an earlier version made none
    this.#directory.syncDirectory(path);
    for (const file of unfinished) files.remove(file);
    for (const fault of faults) {
      const aside = setAside(files, fault);
      this.#warn(
        `${fault.path} is damaged at byte ${fault.offset}: ${fault.what}; it is not needed, and is now ${aside}`,
      );
    }
    if (faults.length > 0) this.#directory.syncDirectory(snapshots);
  }

  /**
   * Writes that the log begins anew, where the node ended before it could. It says so, since a log whose end somebody
   * has cut off looks the same.
   */
  #beginAnew(current: AppendFile, base: Position): void {
    this.#warn(
      `${current.path}: the log lacks entry ${base.index} of term ${base.term}, with which the snapshot ends, and begins anew behind it; a crash may leave that, and so may a log whose end was cut off`,
    );
    if (!current.append(`${beginLine(base)}\n`)) {
      const words = `${current.path}: the disk is full; free some space, then start this node again`;
      throw new DataError('unusable', words, current.path);
    }
    this.#files.fsyncNow(current.fd);
  }

  #explain(error: Error): Error {
    const advice =
      'this node stops, because what its disk holds is now uncertain: check the disk, then start it again';
    return new Error(`${this.#directory.path}: ${error.message}; ${advice}`, { cause: error });
  }
}

function positionOf({ index, term }: Position): Position {
  return { index, term };
}

function makeDirectory(files: FileSystem, path: string): void {
  try {
    files.makeDirectory(path);
  } catch (error) {
    const words = `${path} cannot be used as a data directory: ${(error as Error).message}`;
    throw new DataError('unusable', words, path);
  }
}

function toStandardError(message: string): void {
  try {
    writeSync(2, `raftline: ${message}\n`);
  } catch {
    // Nobody reads it; what was to be said is no reason to fail.
  }
}

function endProcess(error: Error): void {
  toStandardError(error.message);
  process.exit(1);
}
