import { join } from 'node:path';
import type { Position } from '../raft/entry.ts';
import { codeOf, type FileSystem } from './file-system.ts';

/** A file of a snapshot, by what its name says. */
export interface NamedSnapshot extends Position {
  readonly path: string;
}

const NAME = /^(\d{1,16})-(\d{1,16})\.ndjson$/;

export function snapshotPath(directory: string, { index, term }: Position): string {
  return join(directory, `${index}-${term}.ndjson`);
}

/** The snapshots in a directory, newest first, and the files that were being written when a process ended. */
export function listSnapshots(
  files: FileSystem,
  directory: string,
): { readonly snapshots: readonly NamedSnapshot[]; readonly unfinished: readonly string[] } {
  let names: string[] = [];
  try {
    names = files.list(directory);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  const snapshots = names.flatMap(name => {
    const [, index, term] = NAME.exec(name) ?? [];
    if (index === undefined || term === undefined) return [];
    return [{ index: Number(index), term: Number(term), path: join(directory, name) }];
  });
  return {
    snapshots: snapshots.sort((a, b) => b.index - a.index || b.term - a.term),
    unfinished: names.filter(name => name.endsWith('.tmp')).map(name => join(directory, name)),
  };
}
