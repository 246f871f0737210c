import type { Position } from '../raft/entry.ts';
import { type ReadBallot, readBallot } from './ballot-file.ts';
import type { DataDirectory } from './data-directory.ts';
import { DataError, damaged } from './data-error.ts';
import { codeOf, type FileSystem } from './file-system.ts';
import { type Beginnings, Replay, type ReplayOptions } from './journal-replay.ts';
import { loadNamed, type SnapshotFault } from './snapshot-load.ts';
import { listSnapshots, type NamedSnapshot } from './snapshot-name.ts';
import type { LoadedSnapshot } from './snapshot-records.ts';

/** The snapshot, the log and the ballot from which a node starts. */
export interface Start extends LogStart {
  readonly vote: ReadBallot;
}

interface LogStart {
  readonly snapshot: (LoadedSnapshot & { readonly bytes: number }) | undefined;
  readonly replay: Replay;
  /** The snapshot before, which takes its place if it is ever found damaged. */
  readonly previous: Position | undefined;
  /** Newer ones that are damaged: never loaded, and not needed. */
  readonly faults: readonly (SnapshotFault & NamedSnapshot)[];
  /** What was being written when a process ended. */
  readonly unfinished: readonly string[];
}

const NOTHING: Position = { index: 0, term: 0 };

/**
 * Reads and checks everything that a node starts from, and changes nothing. Throws a `DataError` where it must not start.
 * The ballot comes last: so, beside a node at work, it is never older than the entries.
 */
export function findStart(files: FileSystem, directory: DataDirectory, options: ReplayOptions = {}): Start {
  const start = findLog(files, directory, options);
  const vote = readVote(files, directory);
  const { lastTerm } = start.replay;
  if (lastTerm > vote.ballot.term) {
    const words = `the log has an entry of term ${lastTerm}, but the last ballot is of term ${vote.ballot.term}`;
    damaged(directory.vote, vote.end, words);
  }
  return { ...start, vote };
}

function readVote(files: FileSystem, { vote }: DataDirectory): ReadBallot {
  let fd: number;
  try {
    fd = files.open(vote, 'r');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    damaged(vote, 0, 'the file is missing, and with it the vote of this node');
  }
  try {
    return readBallot(files, vote, fd);
  } finally {
    files.close(fd);
  }
}

/**
 * Finds the newest snapshot that is sound and that the log goes on from. One that is damaged is passed over for the one
 * before it, or for the log alone; where neither reaches far enough back, that throws: entries that this node has
 * promised to have would be missing.
 */
function findLog(files: FileSystem, directory: DataDirectory, options: ReplayOptions): LogStart {
  const { snapshots, unfinished } = listSnapshots(files, directory.snapshots);
  const faults: (SnapshotFault & NamedSnapshot)[] = [];
  for (const [at, named] of snapshots.entries()) {
    const file = loadNamed(files, named);
    if ('fault' in file) {
      faults.push({ ...named, ...file.fault });
      continue;
    }
    const { loaded, bytes } = file;
    const { index, term, base } = loaded.head;
    const replay = read(files, directory, { base, snapshot: { index, term } }, faults, options);
    return { snapshot: { ...loaded, bytes }, replay, previous: snapshots[at + 1], faults, unfinished };
  }
  const replay = read(files, directory, { base: NOTHING, snapshot: NOTHING }, faults, options);
  return { snapshot: undefined, replay, previous: undefined, faults, unfinished };
}

function read(
  files: FileSystem,
  { log }: DataDirectory,
  beginnings: Beginnings,
  [fault]: readonly SnapshotFault[],
  options: ReplayOptions,
): Replay {
  try {
    const replay = new Replay(files, beginnings, options);
    replay.read(log);
    return replay;
  } catch (error) {
    // Without the damaged snapshot the log does not reach back far enough: that is the damage to tell of.
    if (fault === undefined || !(error instanceof DataError)) throw error;
    const { snapshot } = beginnings;
    const before = snapshot.index === 0 ? 'no older one' : `the one of entry ${snapshot.index}`;
    damaged(fault.path, fault.offset, `${fault.what}, and the log does not go on from ${before}`);
  }
}
