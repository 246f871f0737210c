import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  createWriteStream,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { finished } from 'node:stream/promises';
import { quoted } from '../client/cli/print.ts';
import { UsageError } from '../client/cli/usage-error.ts';
import { codeOf, DISK, FILE_MODE, syncDirectory } from '../src/node/file-system.ts';

/** The descriptor of standard output. */
const STDOUT = 1;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Where a backup goes. */
export interface BackupOutput {
  /** Whether it is standard output, which then has no room for words. */
  readonly isStandardOutput: boolean;
  write(text: string): Promise<void>;
  /** Takes back what was written, so that it can begin anew; false where that cannot be. */
  restart(): boolean;
  /** The backup is whole. */
  keep(): Promise<void>;
  /** The backup came to nothing. */
  drop(): void;
}

/** Opens what a name stands for. Throws a UsageError, or what the system says, before anything is asked of a node. */
export function openOutput(path: string): BackupOutput {
  if (path === '' || path.endsWith('/')) throw new UsageError(`backup: ${quoted(path)} does not name a file`);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) throw new UsageError(`backup: ${quoted(path)} is a directory: name a file`);
  if (found !== undefined && isSame(found, fstatSync(STDOUT)))
    return new Passing(process.stdout, { isStandardOutput: true });
  if (found === undefined || found.isFile()) return new Draft(followed(path));
  const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND);
  return new Passing(createWriteStream(path, { fd }), { isStandardOutput: false });
}

function isSame(one: Stats, other: Stats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** Where symbolic links lead, whether anything is there yet or not: they stay, and what they stand for is written. */
function followed(path: string): string {
  let link: string;
  try {
    link = readlinkSync(path);
  } catch (error) {
    if (codeOf(error) === 'EINVAL' || codeOf(error) === 'ENOENT') return path;
    throw error;
  }
  // The system reads `..` behind a linked folder in its own way, so the path is put together and not tidied.
  return followed(isAbsolute(link) ? link : `${dirname(path)}/${link}`);
}

/**
 * A file. It appears under its name only when it is whole and on the disk. Until then it has a name that nobody else
 * uses, in the same folder, and goes when the process is told to end.
 */
class Draft implements BackupOutput {
  readonly isStandardOutput = false;
  readonly #path: string;
  readonly #draft: string;
  readonly #fd: number;
  readonly #stop = (signal: NodeJS.Signals) => {
    this.drop();
    process.kill(process.pid, signal);
  };
  #size = 0;

  constructor(path: string) {
    this.#path = path;
    this.#draft = `${dirname(path)}/.raftline-${randomBytes(8).toString('hex')}.tmp`;
    this.#fd = openSync(this.#draft, 'wx', FILE_MODE);
    for (const signal of SIGNALS) process.on(signal, this.#stop);
  }

  async write(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) {
      const written = writeSync(this.#fd, bytes, at, bytes.length - at, this.#size);
      at += written;
      this.#size += written;
    }
  }

  restart(): boolean {
    ftruncateSync(this.#fd);
    this.#size = 0;
    return true;
  }

  async keep(): Promise<void> {
    fsyncSync(this.#fd);
    renameSync(this.#draft, this.#path);
    syncDirectory(DISK, dirname(this.#path));
    this.#close();
  }

  drop(): void {
    this.#close();
    rmSync(this.#draft, { force: true });
  }

  #close(): void {
    for (const signal of SIGNALS) process.off(signal, this.#stop);
    closeSync(this.#fd);
  }
}

/** What is no file, such as a pipe: it has the lines as they come, and is never put away for another. */
class Passing implements BackupOutput {
  readonly isStandardOutput: boolean;
  readonly #stream: NodeJS.WritableStream;
  #isBegun = false;

  constructor(stream: NodeJS.WritableStream, { isStandardOutput }: { readonly isStandardOutput: boolean }) {
    this.isStandardOutput = isStandardOutput;
    this.#stream = stream;
    // The write that fails says so as well.
    stream.on('error', () => {});
  }

  async write(text: string): Promise<void> {
    this.#isBegun = true;
    await new Promise<void>((resolve, reject) => {
      this.#stream.write(text, error => (error ? reject(error) : resolve()));
    });
  }

  restart(): boolean {
    return !this.#isBegun;
  }

  async keep(): Promise<void> {
    if (!this.isStandardOutput) await finished(this.#stream.end());
  }

  drop(): void {
    if (!this.isStandardOutput) this.#stream.end();
  }
}
