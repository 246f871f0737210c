import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

/** Says that this process is in a namespace of its own, where it may mount what nobody else sees. */
const MARK = 'RAFTLINE_CHAOS_MOUNTS';

const isRoot = process.getuid?.() === 0;
const NAMESPACE = isRoot ? ['--mount'] : ['--user', '--map-root-user', '--mount'];

/** Whether disks can be mounted here. */
export const CAN_MOUNT = process.env[MARK] === '1';

/**
 * Runs this very program again where it can mount small disks that nobody else sees, and resolves with its exit
 * status; undefined where that is impossible, or where we are that program already.
 */
export async function runWithMounts(): Promise<number | undefined> {
  if (CAN_MOUNT) return undefined;
  const probe = spawnSync('unshare', [...NAMESPACE, 'mount', '-t', 'tmpfs', 'none', '/mnt']);
  if (probe.status !== 0) return undefined;
  const args = [...NAMESPACE, process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn('unshare', args, { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } });
  // A terminal's Ctrl-C reaches the child as well; whatever else tells us to end has to be handed on.
  const handOn = (signal: NodeJS.Signals) => {
    if (signal !== 'SIGINT') child.kill(signal);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, handOn);
  return new Promise(resolve => {
    child.on('exit', (status, signal) =>
      resolve(status ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0)),
    );
  });
}

/** A disk of so many mebibytes, in memory, that can be filled to its last byte. */
export class SmallDisk {
  readonly #path: string;

  constructor(path: string, mebibytes: number) {
    this.#path = path;
    mkdirSync(path, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'none', path]);
  }

  fill(): void {
    const file = openSync(this.#filler, 'w');
    // Coarse at first, then to the last byte.
    for (let size = 1_048_576; size >= 1; size = Math.floor(size / 16)) {
      const piece = Buffer.alloc(size);
      try {
        for (;;) writeSync(file, piece);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
    closeSync(file);
  }

  empty(): void {
    rmSync(this.#filler, { force: true });
  }

  unmount(): void {
    execFileSync('umount', ['--lazy', this.#path]);
  }

  get #filler(): string {
    return join(this.#path, 'filler');
  }
}
