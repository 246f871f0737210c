import {
  closeSync,
  fdatasyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spread } from './measure.ts';

/** Names of file systems, by the number that statfs(2) gives them. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x2fc12fc1, 'zfs'],
  [0xf2f52010, 'f2fs'],
  [0x794c7630, 'overlay'],
  [0x6969, 'nfs'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
]);
/** Those that keep nothing: there an fsync costs nothing, and measures nothing. */
const IN_MEMORY: ReadonlySet<string> = new Set(['tmpfs', 'ramfs']);
const SYNCS = 50;

/** A new directory for the data of what is measured, beside the build: the system's temporary folder may be in memory. */
export function makeDirectory(parent: string | undefined): string {
  const above = parent ?? fileURLToPath(new URL('../../.raftline', import.meta.url));
  mkdirSync(above, { recursive: true });
  return mkdtempSync(join(above, 'bench-'));
}

function fileSystemOf(path: string): string {
  const { type } = statfsSync(path);
  return NAMES.get(type) ?? `file system 0x${type.toString(16)}`;
}

/** Where the data goes, in words, with what an `fdatasync` costs there. */
export function describeDisk(directory: string): string {
  const name = fileSystemOf(directory);
  const warning = IN_MEMORY.has(name)
    ? ' ! in memory: no fsync there means anything; choose another --directory'
    : '';
  const temporary = fileSystemOf(tmpdir());
  const words = IN_MEMORY.has(temporary) ? ` (${tmpdir()} is ${temporary}, in memory, and not used)` : '';
  return `data on ${name}, where an fdatasync takes ${syncTime(directory).toFixed(2)} ms${words}${warning}`;
}

/** Milliseconds of an `fdatasync` behind a small write, the median of some. */
function syncTime(directory: string): number {
  const path = join(directory, 'sync');
  const fd = openSync(path, 'w');
  try {
    const bytes = Buffer.alloc(200);
    const times = Array.from({ length: SYNCS }, () => {
      writeSync(fd, bytes);
      const began = performance.now();
      fdatasyncSync(fd);
      return performance.now() - began;
    });
    return spread(times).median;
  } finally {
    closeSync(fd);
    rmSync(path);
  }
}
