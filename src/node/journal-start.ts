import type { Position } from '../raft/entry.ts';
import type { DataDirectory } from './data-directory.ts';
import { DataError, damaged } from './data-error.ts';
import type { FileSystem } from './file-system.ts';
import { Replay } from './journal-replay.ts';
import { loadNamed, type SnapshotFault } from './snapshot-load.ts';
import { listSnapshots, type NamedSnapshot } from './snapshot-name.ts';
import type { LoadedSnapshot } from './snapshot-records.ts';

/** The snapshot and the log from which a node starts. */
export interface Start {
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
 * Finds the newest snapshot that is sound and that the log goes on from. One that is damaged is passed over for the one
 * before it, or for the log alone; where neither reaches far enough back, that throws: entries that this node has
 * promised to have would be missing.
 */
export function findStart(files: FileSystem, directory: DataDirectory): Start {
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
    const replay = read(files, directory, base, { index, term }, faults);
    return { snapshot: { ...loaded, bytes }, replay, previous: snapshots[at + 1], faults, unfinished };
  }
  const replay = read(files, directory, NOTHING, NOTHING, faults);
  return { snapshot: undefined, replay, previous: undefined, faults, unfinished };
}

function read(
  files: FileSystem,
  { log }: DataDirectory,
  base: Position,
  snapshot: Position,
  [fault]: readonly SnapshotFault[],
): Replay {
  try {
    const replay = new Replay(files, { base, snapshot });
    replay.read(log);
    return replay;
  } catch (error) {
    // Without the damaged snapshot the log does not reach back far enough: that is the damage to tell of.
    if (fault === undefined || !(error instanceof DataError)) throw error;
    const before = snapshot.index === 0 ? 'no older one' : `the one of entry ${snapshot.index}`;
    damaged(fault.path, fault.offset, `${fault.what}, and the log does not go on from ${before}`);
  }
}
