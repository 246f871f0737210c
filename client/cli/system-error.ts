/** What stands in the way and what to do, by the code of the system; in words that follow a path. */
const WORDS: Readonly<Record<string, readonly [why: string, remedy: string]>> = {
  ENOENT: ['is not there', 'check the name'],
  ENOTDIR: ['leads through a file as if it were a directory', 'check the name'],
  EISDIR: ['is a directory', 'name a file'],
  ELOOP: ['leads in a circle of symbolic links', 'check where they lead'],
  ENAMETOOLONG: ['has a name that is too long', 'shorten it'],
  ENOTEMPTY: ['is not empty', 'name a directory that is'],
  EACCES: ['is not open to this user', 'check who owns it and its mode'],
  EPERM: ['is not open to this user', 'check who owns it and its mode'],
  EROFS: ['is on a file system that is read-only', 'name a place that can be written'],
  ENOSPC: ['finds the disk full', 'free some space, and run this again'],
  EDQUOT: ["finds this user's share of the disk full", 'free some space, and run this again'],
  EIO: ['cannot be read or written', 'check the disk'],
  EPIPE: ['is read by nobody any more', 'check who reads it'],
  ENXIO: ['cannot be written like a file', 'name another place'],
  EMFILE: ['finds too many files open', 'raise the limit (ulimit -n)'],
};

/** Whether an error is what the system answered to a call, and no fault of this program. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}

/** What the system refused, why, and what to do; `path` where the error does not name one. */
export function systemWords(
  { code = '', message, path: named }: NodeJS.ErrnoException,
  path: string,
): string {
  const words = WORDS[code];
  return words === undefined ? message : `${named ?? path} ${words[0]} (${code}): ${words[1]}`;
}
