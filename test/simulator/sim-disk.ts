import type { Done, FileSystem } from '../../src/node/file-system.ts';
import type { Dice } from './dice.ts';
import { SimDirectory } from './sim-directory.ts';
import { SimFile } from './sim-file.ts';

/** Where the calls of a process take effect in time. */
export interface DiskWorld {
  readonly dice: Dice;
  /** Has something happen after microseconds. */
  readonly after: (delay: number, run: () => void) => void;
  /** Something is now durable that was not before. */
  readonly onDurable: () => void;
}

interface Open {
  readonly path: string;
  readonly item: SimFile | SimDirectory;
}

export function systemError(code: string, call: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${call}`), { code, syscall: call });
}

/** The disk of one simulated machine. Its processes come and go; what they did not sync goes with the power alone. */
export class SimDisk {
  readonly root = new SimDirectory();
  /** Microseconds that a sync takes, about. */
  latency = 400;
  /** Syncs of files of which this is true end only after `unstall`. */
  stalls: (path: string) => boolean = () => false;
  /** The next sync fails, and what it was to make durable never is. */
  failsNextSync = false;
  /** Bytes that may still be written. */
  room = Number.POSITIVE_INFINITY;
  readonly #world: DiskWorld;
  #stalled: (() => void)[] = [];
  /** Counts the losses of power: what was under way before one never ends. */
  #era = 0;

  constructor(world: DiskWorld) {
    this.#world = world;
  }

  /** The power goes, and with it every process. */
  losePower(): void {
    this.#era += 1;
    this.#stalled = [];
    this.root.losePower(this.#world.dice);
    this.#world.onDurable();
  }

  /** Nothing is left of what was there. */
  wipe(): void {
    this.#era += 1;
    this.#stalled = [];
    this.root.wipe();
  }

  /** Ends a stall: what waited is durable a little later. */
  unstall(): void {
    this.stalls = () => false;
    const stalled = this.#stalled;
    this.#stalled = [];
    for (const go of stalled) go();
  }

  /** The files as one process sees them; `arrive` brings the end of a sync to its event loop. */
  filesFor(arrive: (run: () => void) => void): FileSystem {
    const open = new Map<number, Open>();
    let last = 2;
    const at = (fd: number): Open => {
      const found = open.get(fd);
      if (found === undefined) throw systemError('EBADF', `descriptor ${fd}`);
      return found;
    };
    const fileAt = (fd: number): SimFile => {
      const { item, path } = at(fd);
      if (item instanceof SimDirectory) throw systemError('EISDIR', path);
      return item;
    };
    const sync = (fd: number, done: Done) => this.#sync(at(fd), error => arrive(() => done(error)));
    return {
      open: (path, flags) => {
        last += 1;
        open.set(last, { path, item: this.#open(path, flags) });
        return last;
      },
      close: fd => {
        at(fd);
        open.delete(fd);
      },
      read: (fd, buffer, offset, length, position) => fileAt(fd).read(buffer, offset, length, position),
      write: (fd, buffer, offset, length, position) => {
        const size = Math.min(length, this.room);
        if (size === 0 && length > 0) throw systemError('ENOSPC', at(fd).path);
        this.room -= size;
        fileAt(fd).write(buffer, offset, size, position);
        return size;
      },
      truncate: (fd, length) => {
        const file = fileAt(fd);
        this.room += Math.max(0, file.size - length);
        file.truncate(length);
      },
      fdatasync: sync,
      fsync: sync,
      fsyncNow: fd => {
        if (this.failsNextSync) {
          this.failsNextSync = false;
          throw systemError('EIO', 'fsync');
        }
        const { item } = at(fd);
        if (item instanceof SimDirectory) item.sync();
        else item.endSync(item.beginSync(), true);
        this.#world.onDurable();
      },
      rename: (from, to) => {
        const [directory, name] = this.#place(from);
        const item = directory.names.get(name);
        if (item === undefined) throw systemError('ENOENT', from);
        directory.change([name, undefined], [this.#place(to)[1], item]);
      },
      remove: path => {
        const [directory, name] = this.#place(path);
        if (!directory.names.has(name)) throw systemError('ENOENT', path);
        directory.change([name, undefined]);
      },
      list: path => [...this.#directory(path).names.keys()],
      makeDirectory: path => {
        this.#makeDirectory(path);
      },
    };
  }

  #sync({ item, path }: Open, done: Done): void {
    const era = this.#era;
    const isGood = !this.failsNextSync;
    this.failsNextSync = false;
    const syncing = item instanceof SimFile ? item.beginSync() : undefined;
    const end = () => {
      if (era !== this.#era) return;
      if (item instanceof SimDirectory) {
        if (isGood) item.sync();
      } else if (syncing !== undefined) item.endSync(syncing, isGood);
      if (isGood) this.#world.onDurable();
      done(isGood ? null : systemError('EIO', 'fsync'));
    };
    const begin = () => this.#world.after(this.latency / 4 + this.#world.dice.around(this.latency), end);
    if (this.stalls(path)) this.#stalled.push(begin);
    else begin();
  }

  #open(path: string, flags: string): SimFile | SimDirectory {
    if (path === '/') return this.root;
    const [directory, name] = this.#place(path);
    const found = directory.names.get(name);
    if (found !== undefined) {
      if (flags.includes('x')) throw systemError('EEXIST', path);
      if (flags.startsWith('w') && found instanceof SimFile) found.truncate(0);
      return found;
    }
    if (flags.startsWith('r')) throw systemError('ENOENT', path);
    if (this.room === 0) throw systemError('ENOSPC', path);
    const file = new SimFile();
    directory.change([name, file]);
    return file;
  }

  /** The directory that a path is in, and its last name. */
  #place(path: string): [SimDirectory, string] {
    const cut = path.lastIndexOf('/');
    return [this.#directory(path.slice(0, cut)), path.slice(cut + 1)];
  }

  #directory(path: string): SimDirectory {
    const found = this.find(path);
    if (found instanceof SimDirectory) return found;
    throw systemError(found === undefined ? 'ENOENT' : 'ENOTDIR', path);
  }

  /** What a path leads to, as processes see it. */
  find(path: string): SimFile | SimDirectory | undefined {
    let item: SimFile | SimDirectory | undefined = this.root;
    for (const name of path.split('/')) {
      if (name === '') continue;
      item = item instanceof SimDirectory ? item.names.get(name) : undefined;
    }
    return item;
  }

  #makeDirectory(path: string): SimDirectory {
    let directory = this.root;
    for (const name of path.split('/')) {
      if (name === '') continue;
      let next = directory.names.get(name);
      if (next === undefined) {
        next = new SimDirectory();
        directory.change([name, next]);
      }
      if (!(next instanceof SimDirectory)) throw systemError('ENOTDIR', path);
      directory = next;
    }
    return directory;
  }
}
