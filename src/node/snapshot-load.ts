import type { SnapshotHead } from '../ports/storage.ts';
import { DataError } from './data-error.ts';
import type { FileSystem } from './file-system.ts';
import { parseJson } from './record.ts';
import { RecordReader } from './record-reader.ts';
import type { NamedSnapshot } from './snapshot-name.ts';
import { FutureSnapshot, headOf, type LoadedSnapshot, SnapshotReader } from './snapshot-records.ts';

/** What is wrong with the file of a snapshot, and from which byte on. */
export interface SnapshotFault {
  readonly path: string;
  readonly offset: number;
  readonly what: string;
}

export type SnapshotFile =
  | { readonly loaded: LoadedSnapshot; readonly bytes: number }
  | { readonly fault: SnapshotFault };

/** Reads a snapshot whole, and checks every line of it. Throws only for what a later version wrote. */
export function loadSnapshot(files: FileSystem, path: string): SnapshotFile {
  const fd = files.open(path, 'r');
  try {
    const records = new RecordReader(files, fd);
    const reader = new SnapshotReader();
    while (records.next()) {
      const fault = faultOf(path, records, reader);
      if (fault !== undefined) return { fault };
    }
    const { offset } = records;
    const { loaded } = reader;
    if (loaded === undefined) return { fault: { path, offset, what: 'it ends before its last record' } };
    if (records.rest.length > 0)
      return { fault: { path, offset, what: 'something stands behind its last record' } };
    return { loaded, bytes: offset };
  } finally {
    files.close(fd);
  }
}

/** What a snapshot says of itself; undefined where its first line is damaged. */
export function readHead(files: FileSystem, fd: number): SnapshotHead | undefined {
  const records = new RecordReader(files, fd, 0, 65_536);
  if (!records.next() || !records.isSound) return undefined;
  try {
    return headOf(parseJson(records.json));
  } catch {
    return undefined;
  }
}

function faultOf(path: string, records: RecordReader, reader: SnapshotReader): SnapshotFault | undefined {
  try {
    reader.take(records.line);
    return undefined;
  } catch (error) {
    const what = (error as Error).message;
    if (error instanceof FutureSnapshot) {
      const words = `${path}: ${what}: use the version of raftline that wrote it, or a later one. Nothing was changed.`;
      throw new DataError('future', words, path, records.offset);
    }
    return { path, offset: records.offset, what };
  }
}

/** The same for a file that says in its name what it stands for. */
export function loadNamed(files: FileSystem, { index, term, path }: NamedSnapshot): SnapshotFile {
  const file = loadSnapshot(files, path);
  if ('fault' in file) return file;
  const { head } = file.loaded;
  if (head.index === index && head.term === term) return file;
  return { fault: { path, offset: 0, what: `it stands for entry ${head.index} of term ${head.term}` } };
}
