import { copyFileSync, cpSync, existsSync, fstatSync, rmSync, truncateSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { DISK, type Done, type FileSystem } from '../../src/node/file-system.ts';

/** A sync that has begun. */
interface Syncing {
  readonly fd: number;
  readonly path: string;
  readonly size: number;
  readonly done: Done;
}

export function systemError(code: string, call: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: as the test asked, ${call}`), { code, syscall: call });
}

/**
 * A disk on top of the real one that can be delayed, cut and failed, and that knows what a loss of power would
 * leave: of every file what was there when a finished sync began, and any part of what was written since.
 */
export class FaultyDisk implements FileSystem {
  /** What was asked for, as `CALL FILE`. */
  readonly calls: string[] = [];
  /** Keeps syncs waiting for `finish`. */
  isHolding = false;
  /** Bytes that may still be written. */
  room = Number.POSITIVE_INFINITY;
  /** The next call of a kind, as in `calls`, fails with this code. */
  readonly failures = new Map<string, string>();
  /** Calls after which every other one fails. */
  callsLeft = Number.POSITIVE_INFINITY;
  /** Descriptors beyond which `open` fails. */
  mostOpen = Number.POSITIVE_INFINITY;
  readonly #paths = new Map<number, string>();
  /** Bytes of each file that would survive. */
  readonly #durable = new Map<string, number>();
  /** Names that might not survive, and for a rename, the copy of what was there before. */
  readonly #unsynced = new Map<string, string | undefined>();
  readonly #syncing: Syncing[] = [];

  get descriptors(): number {
    return this.#paths.size;
  }

  /** Syncs that wait for `finish`. */
  get waiting(): number {
    return this.#syncing.length;
  }

  open(path: string, flags: string, mode?: number): number {
    this.#note('open', path);
    if (this.#paths.size >= this.mostOpen) throw systemError('EMFILE', 'open');
    const isNew = !existsSync(path);
    const fd = DISK.open(path, flags, mode);
    this.#paths.set(fd, path);
    if (isNew) this.#unsynced.set(path, undefined);
    return fd;
  }

  close(fd: number): void {
    DISK.close(fd);
    this.#paths.delete(fd);
  }

  read(fd: number, buffer: Buffer, offset: number, length: number, position: number): number {
    return DISK.read(fd, buffer, offset, length, position);
  }

  write(fd: number, buffer: Buffer, offset: number, length: number, position: number): number {
    this.#note('write', this.#path(fd));
    const size = Math.min(length, this.room);
    if (size === 0 && length > 0) throw systemError('ENOSPC', 'write');
    this.room -= size;
    return DISK.write(fd, buffer, offset, size, position);
  }

  truncate(fd: number, length: number): void {
    this.#note('truncate', this.#path(fd));
    const path = this.#path(fd);
    this.#durable.set(path, Math.min(this.#durable.get(path) ?? 0, length));
    DISK.truncate(fd, length);
  }

  fdatasync(fd: number, done: Done): void {
    this.#begin('fdatasync', fd, done);
  }

  fsync(fd: number, done: Done): void {
    this.#begin('fsync', fd, done);
  }

  fsyncNow(fd: number): void {
    this.#note('fsyncNow', this.#path(fd));
    this.#survives(this.#path(fd), fstatSync(fd).size);
  }

  rename(from: string, to: string): void {
    this.#note('rename', to);
    const before = `${to}.before`;
    if (existsSync(to)) copyFileSync(to, before);
    this.#unsynced.set(to, existsSync(to) ? before : undefined);
    this.#unsynced.delete(from);
    this.#durable.set(to, this.#durable.get(from) ?? 0);
    for (const [fd, path] of this.#paths) if (path === from) this.#paths.set(fd, to);
    DISK.rename(from, to);
  }

  remove(path: string): void {
    this.#note('remove', path);
    DISK.remove(path);
  }

  list(path: string): string[] {
    return DISK.list(path).filter(name => !name.endsWith('.before'));
  }

  makeDirectory(path: string): void {
    DISK.makeDirectory(path);
  }

  /** Finishes a sync that waits: the first, or another. */
  finish(at = 0): void {
    const [sync] = this.#syncing.splice(at, 1);
    if (sync === undefined) return;
    this.#survives(sync.path, sync.size);
    sync.done(null);
  }

  /** Copies a data directory to another path, as a loss of power could leave it: `choose` picks from 0 to n. */
  crash(from: string, to: string, choose: (n: number) => number): void {
    cpSync(from, to, { recursive: true, filter: path => !path.endsWith('.before') });
    for (const [path, before] of this.#unsynced) {
      const copy = join(to, relative(from, path));
      if (!existsSync(copy) || choose(1) === 0) continue;
      if (before === undefined) rmSync(copy);
      else copyFileSync(before, copy);
    }
    for (const [fd, path] of this.#paths) {
      const copy = join(to, relative(from, path));
      const stat = fstatSync(fd);
      if (!stat.isFile() || !existsSync(copy) || this.#unsynced.get(path) !== undefined) continue;
      const durable = this.#durable.get(path) ?? 0;
      truncateSync(copy, durable + choose(stat.size - durable));
    }
  }

  /** Closes what a node left open whose end nobody waits for. */
  abandon(): void {
    for (const fd of this.#paths.keys()) DISK.close(fd);
    this.#paths.clear();
  }

  #begin(call: string, fd: number, done: Done): void {
    const path = this.#path(fd);
    const code = this.#failureOf(call, path);
    if (code !== undefined) {
      setImmediate(() => done(systemError(code, call)));
      return;
    }
    this.#syncing.push({ fd, path, size: fstatSync(fd).size, done });
    if (!this.isHolding) setImmediate(() => this.finish());
  }

  #survives(path: string, size: number): void {
    this.#durable.set(path, Math.max(size, this.#durable.get(path) ?? 0));
    for (const name of this.#unsynced.keys()) {
      if (join(name, '..') === path) this.#unsynced.delete(name);
    }
  }

  #note(call: string, path: string): void {
    const code = this.#failureOf(call, path);
    if (code !== undefined) throw systemError(code, call);
  }

  #failureOf(call: string, path: string): string | undefined {
    this.callsLeft -= 1;
    if (this.callsLeft < 0) throw new Error('the power is gone');
    const name = `${call} ${basename(path)}`;
    this.calls.push(name);
    const code = this.failures.get(name);
    this.failures.delete(name);
    return code;
  }

  #path(fd: number): string {
    const path = this.#paths.get(fd);
    if (path === undefined) throw new Error(`descriptor ${fd} is not open`);
    return path;
  }
}
