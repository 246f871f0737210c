import { join } from 'node:path';
import { codeOf, type FileSystem } from './file-system.ts';

/**
 * One file of the log. Its name is the index that the log was to get next when it was begun, padded so that names
 * sort in the order of writing: so a segment that is missing shows as a gap between the others.
 */
export interface Segment {
  readonly first: number;
  readonly path: string;
  readonly bytes: number;
}

const DIGITS = String(Number.MAX_SAFE_INTEGER).length;
const NAME = /^(\d+)\.ndjson$/;

/** The path of the segment that begins at an index. */
export function segmentPath(directory: string, first: number): string {
  return join(directory, `${String(first).padStart(DIGITS, '0')}.ndjson`);
}

/** The first index and the path of every segment in a directory, in order; files with other names are nobody's. */
export function listSegments(files: FileSystem, directory: string): Omit<Segment, 'bytes'>[] {
  return namesIn(files, directory)
    .flatMap(name => {
      const digits = NAME.exec(name)?.[1];
      return digits?.length === DIGITS ? [{ first: Number(digits), path: join(directory, name) }] : [];
    })
    .sort((a, b) => a.first - b.first);
}

function namesIn(files: FileSystem, directory: string): string[] {
  try {
    return files.list(directory);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return [];
  }
}
