import * as fs from 'node:fs';
import { dirname } from 'node:path';

/** Told when something asynchronous is done, or why it failed. */
export type Done = (error: Error | null) => void;

/** The few calls that the journal makes to a disk, so that a test can delay, cut and fail each of them. */
export interface FileSystem {
  open(path: string, flags: string, mode?: number): number;
  close(fd: number): void;
  read(fd: number, buffer: Buffer, offset: number, length: number, position: number): number;
  /** Returns how much was written, which may be less than asked: a disk that fills up says so only on the next try. */
  write(fd: number, buffer: Buffer, offset: number, length: number, position: number): number;
  truncate(fd: number, length: number): void;
  fdatasync(fd: number, done: Done): void;
  fsync(fd: number, done: Done): void;
  /** Waits for the disk: only for opening, closing and other rare moments. */
  fsyncNow(fd: number): void;
  rename(from: string, to: string): void;
  remove(path: string): void;
  list(path: string): string[];
  makeDirectory(path: string): void;
}

/** The disk that everyone has: Node's own functions, so that the seam costs nothing. */
export const DISK: FileSystem = {
  open: fs.openSync,
  close: fs.closeSync,
  read: fs.readSync,
  write: fs.writeSync,
  truncate: fs.ftruncateSync,
  fdatasync: fs.fdatasync,
  fsync: fs.fsync,
  fsyncNow: fs.fsyncSync,
  rename: fs.renameSync,
  remove: fs.unlinkSync,
  list: path => fs.readdirSync(path),
  makeDirectory,
};

/** Makes the names in a directory durable, which syncing the files themselves does not. */
export function syncDirectory(files: FileSystem, path: string): void {
  const fd = files.open(path, 'r');
  try {
    files.fsyncNow(fd);
  } finally {
    files.close(fd);
  }
}

/** Makes a directory and those above it. Node's own `recursive` never returns where nothing can be made, as in /proc. */
function makeDirectory(path: string): void {
  try {
    fs.mkdirSync(path, 0o700);
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && fs.statSync(path).isDirectory()) return;
    const above = dirname(path);
    if (codeOf(error) !== 'ENOENT' || above === path || fs.existsSync(above)) throw error;
    makeDirectory(above);
    fs.mkdirSync(path, 0o700);
  }
}

/** Only the node's own user may read what the store holds. */
export const FILE_MODE = 0o600;

/** The system's code of an error, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/** Whether a write failed only because there is no room for it, which may pass. */
export function isNoSpace(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** Whether a file could not be opened only because so many are open, which may pass. */
export function isOutOfDescriptors(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'EMFILE' || code === 'ENFILE';
}
