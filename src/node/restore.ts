import { createHash } from 'node:crypto';
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { imageOf } from '../kv/image.ts';
import { initialConfiguration } from '../raft/configuration.ts';
import type { NodeAddress } from '../wire/address.ts';
import { AppendFile } from './append-file.ts';
import { DataDirectory } from './data-directory.ts';
import { DataError } from './data-error.ts';
import { DISK, FILE_MODE, syncDirectory } from './file-system.ts';
import { clusterOf } from './peers.ts';
import { encodeRecord } from './record.ts';
import { segmentPath } from './segment.ts';
import { loadSnapshot } from './snapshot-load.ts';
import { snapshotPath } from './snapshot-name.ts';
import { type LoadedSnapshot, SnapshotSource } from './snapshot-records.ts';

/** Characters that are written at a time. */
const BLOCK = 1_048_576;

export interface RestoreOptions {
  readonly backup: string;
  readonly data: string;
  readonly id: string;
  /** The members of the new cluster, all of which restore from the same file and list. */
  readonly nodes: readonly NodeAddress[];
}

/** What was restored. */
export interface Restored {
  readonly cluster: string;
  readonly rev: number;
  readonly keys: number;
  readonly hash: string;
}

/**
 * Makes the data directory of a member of a new cluster from a backup. It begins with the snapshot that the backup is,
 * and an empty log. The cluster's id comes from the backup and the list alone: so it is the same at every member, and
 * no node of the cluster that the backup is of can be taken for one of this.
 */
export function restore({ backup, data, id, nodes }: RestoreOptions): Restored {
  if (existsSync(data) && readdirSync(data).length > 0) {
    throw new DataError(
      'unusable',
      `${data} is not empty: name a directory that is, or is not there yet`,
      data,
    );
  }
  const file = loadSnapshot(DISK, backup);
  if ('fault' in file) {
    const { offset, what } = file.fault;
    const words = `${backup} is damaged at byte ${offset}: ${what}. Nothing was written; use another backup.`;
    throw new DataError('damaged', words, backup, offset);
  }
  const { state } = file.loaded;
  const list = clusterOf(nodes);
  const cluster = createHash('sha256').update(`${file.loaded.hash} ${list}`).digest('hex').slice(0, 16);
  // Everything is made beside it, so that an interrupted restore leaves nothing that looks like a node's directory.
  const draft = `${data}.restoring`;
  rmSync(draft, { recursive: true, force: true });
  write(draft, file.loaded, nodes, { node: id, cluster, list });
  renameSync(draft, data);
  syncDirectory(DISK, dirname(data));
  return { cluster, rev: state.rev, keys: state.size, hash: state.hash };
}

function write(
  path: string,
  { head: { index, term }, state }: LoadedSnapshot,
  nodes: readonly NodeAddress[],
  identity: { readonly node: string; readonly cluster: string; readonly list: string },
): void {
  DISK.makeDirectory(path);
  const directory = new DataDirectory(DISK, path);
  directory.layOut(segmentPath(`${path}/log`, index + 1));
  const position = { index, term };
  const head = { ...position, configuration: initialConfiguration(nodes), base: position };
  const source = new SnapshotSource(head, imageOf(state));
  writeFile(snapshotPath(directory.snapshots, position), () =>
    source.take(characters => characters >= BLOCK),
  );
  directory.syncDirectory(directory.snapshots);
  const ballot = [`${encodeRecord({ term, vote: null })}\n`];
  writeFile(directory.vote, () => ballot.pop() ?? '');
  directory.claim(identity);
}

/** Writes a file to the disk, until there is no more of it. */
function writeFile(path: string, more: () => string): void {
  const fd = DISK.open(path, 'w', FILE_MODE);
  try {
    const file = new AppendFile(DISK, path, fd, 0);
    for (let text = more(); text !== ''; text = more()) {
      if (!file.append(text)) throw new DataError('unusable', `${path}: the disk is full`, path);
    }
    DISK.fsyncNow(fd);
  } finally {
    DISK.close(fd);
  }
}
