import { type BigIntStats, closeSync, openSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DataError } from './data-error.ts';
import { codeOf, FILE_MODE } from './file-system.ts';

/** Holds a directory for this process alone, until it is released or the process ends in whatever way. */
export interface DirectoryLock {
  release(): void;
}

/** `O_RDWR | O_NONBLOCK | O_EXLOCK | O_CREAT` of macOS and the BSDs, of which Node names all but the third. */
const OPEN_LOCKED = 0x2 | 0x4 | 0x20 | 0x200;

/**
 * Locks a directory, or throws when another process has it.
 *
 * A lock must end with its process even on `kill -9`, so it has to be the kernel's; a file with a process id in it
 * outlives its process, and whoever clears it away can race another who does. Node has no flock, but each system
 * has something as good. Linux: a socket in the abstract namespace has no file, any name of up to 107 bytes, and
 * one owner. It is named by the directory's device and inode, so symbolic links and bind mounts make no difference,
 * nor how long the path is. (Containers with separate networks do not see each other's; what keeps two of them
 * from one volume is whoever runs them.) macOS and the BSDs: `open` itself can take the lock.
 */
export function lockDirectory(directory: string): Promise<DirectoryLock> {
  return process.platform === 'linux' ? lockByName(directory) : lockByFile(directory);
}

function lockByName(directory: string): Promise<DirectoryLock> {
  const { dev, ino }: BigIntStats = statSync(directory, { bigint: true });
  return new Promise((resolve, reject) => {
    const owner = createServer(stranger => stranger.destroy());
    owner.once('error', error => reject(codeOf(error) === 'EADDRINUSE' ? inUse(directory) : error));
    owner.listen({ path: `\0raftline/${dev}/${ino}` }, () => {
      owner.unref();
      resolve({ release: () => owner.close() });
    });
  });
}

async function lockByFile(directory: string): Promise<DirectoryLock> {
  try {
    const fd = openSync(join(directory, 'lock'), OPEN_LOCKED, FILE_MODE);
    return { release: () => closeSync(fd) };
  } catch (error) {
    if (codeOf(error) === 'EAGAIN' || codeOf(error) === 'EWOULDBLOCK') throw inUse(directory);
    throw error;
  }
}

function inUse(directory: string): DataError {
  const advice = 'stop that process first, or give this node a directory of its own';
  return new DataError('in use', `${directory} is in use by another process: ${advice}.`, directory);
}
