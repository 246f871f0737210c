import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import type { DiskOrders, DiskSetup, TraceEvent } from './disk-orders.ts';
import { Unsynced } from './unsynced.ts';

// Loaded into a node's process before anything else (`--import`): from then on the disk, as that process sees it,
// does what the runner of chaos orders, and knows what a loss of power would take. The node itself is as it always is.

const setup = JSON.parse(new URL(import.meta.url).searchParams.get('setup') ?? '{}') as DiskSetup;
const real = { ...fs };
const unsynced = new Unsynced();
/** The files of the data directory that are open. */
const paths = new Map<number, string>();
let orders: DiskOrders = setup.orders ?? {};
let points = 0;
let syncs = 0;
/** Whether a write has been cut short since the disk is full. */
let isShort = false;

const out = (path: string | undefined) => (path === undefined ? undefined : real.openSync(path, 'a'));
const pointsFile = out(setup.points);
const traceFile = out(setup.trace);

type Event = TraceEvent extends infer Each ? (Each extends unknown ? Omit<Each, 'at'> : never) : never;

function note(event: Event): void {
  if (traceFile === undefined) return;
  const at = performance.timeOrigin + performance.now();
  real.writeSync(traceFile, `${JSON.stringify({ ...event, at })}\n`);
}

function isOurs(path: unknown): path is string {
  return typeof path === 'string' && (path === setup.data || path.startsWith(`${setup.data}/`));
}

function end(seed: number | undefined, isAllLost = false): void {
  if (seed !== undefined) unsynced.lose(seed, isAllLost);
  process.kill(process.pid, 'SIGKILL');
  // The signal is on its way, and nothing may happen before it is there.
  for (;;) sleep(1_000);
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Runs an operation on a file, unless the process is to be gone before it; or after it. */
function atPoint<T>(what: string, operation: () => T): T {
  points += 1;
  const isHere = points === setup.crashAt;
  if (pointsFile !== undefined) real.writeSync(pointsFile, `${points} ${what}\n`);
  if (isHere && setup.moment === 'before') end(setup.powerCut);
  const result = operation();
  if (isHere) end(setup.powerCut);
  return result;
}

function failure(code: 'EIO' | 'ENOSPC', syscall: string): NodeJS.ErrnoException {
  const words = code === 'EIO' ? 'i/o error' : 'no space left on device';
  return Object.assign(new Error(`${code}: ${words}, ${syscall}`), { code, syscall });
}

fs.openSync = (path, flags, mode) => {
  const isNew = isOurs(path) && !real.existsSync(path);
  const file = real.openSync(path, flags, mode);
  if (!isOurs(path)) return file;
  paths.set(file, path);
  if (isNew) unsynced.created(path);
  return file;
};

fs.closeSync = file => {
  real.closeSync(file);
  paths.delete(file);
};

fs.writeSync = ((file: number, buffer: Buffer, offset: number, length: number, position: number) => {
  const path = paths.get(file);
  if (path === undefined) return real.writeSync(file, buffer, offset, length, position);
  if (orders.full && isShort) throw failure('ENOSPC', 'write');
  isShort = orders.full === true;
  const most = isShort ? Math.floor(length / 2) : length;
  if (most === 0) throw failure('ENOSPC', 'write');
  return atPoint(`write ${path}`, () => {
    const written = real.writeSync(file, buffer, offset, most, position);
    unsynced.wrote(path, position, written);
    note({ kind: 'write', path, text: buffer.toString('utf8', offset, offset + written) });
    return written;
  });
}) as typeof fs.writeSync;

fs.ftruncateSync = (file, length = 0) => {
  const path = paths.get(file);
  if (path === undefined) return real.ftruncateSync(file, length);
  atPoint(`truncate ${path}`, () => {
    real.ftruncateSync(file, length);
    unsynced.truncated(path, length ?? 0);
  });
};

/** A sync that does not hold up the process. */
function slowly(name: 'fsync' | 'fdatasync') {
  return (file: number, done: (error: NodeJS.ErrnoException | null) => void): void => {
    const path = paths.get(file);
    if (path === undefined) {
      real[name](file, done);
      return;
    }
    points += 1;
    const point = points;
    if (pointsFile !== undefined) real.writeSync(pointsFile, `${point} ${name} ${path}\n`);
    if (point === setup.crashAt && setup.moment === 'before') end(setup.powerCut);
    syncs += 1;
    const call = syncs;
    const reach = unsynced.reach(path);
    note({ kind: 'sync', path, call });
    if (orders.lying) {
      setImmediate(() => done(null));
      return;
    }
    const isFailing = orders.failing === true;
    real[name](file, error => {
      const ended = () => {
        if (error === null && !isFailing) {
          unsynced.synced(path, reach);
          note({ kind: 'synced', call });
        }
        if (point === setup.crashAt) end(setup.powerCut);
        done(isFailing ? failure('EIO', name) : error);
      };
      const { delay = 0 } = orders;
      if (delay > 0) setTimeout(ended, delay);
      else ended();
    });
  };
}

fs.fsync = slowly('fsync') as typeof fs.fsync;
fs.fdatasync = slowly('fdatasync') as typeof fs.fdatasync;

fs.fsyncSync = file => {
  const path = paths.get(file);
  if (path === undefined) return real.fsyncSync(file);
  if (orders.failing) throw failure('EIO', 'fsync');
  sleep(orders.delay ?? 0);
  atPoint(`fsync ${path}`, () => {
    syncs += 1;
    const call = syncs;
    note({ kind: 'sync', path, call });
    const reach = unsynced.reach(path);
    real.fsyncSync(file);
    unsynced.synced(path, reach);
    note({ kind: 'synced', call });
  });
};

fs.renameSync = (from, to) => {
  if (!isOurs(from) || !isOurs(to)) return real.renameSync(from, to);
  atPoint(`rename ${to}`, () => {
    unsynced.renames(from, to);
    real.renameSync(from, to);
  });
};

fs.unlinkSync = path => {
  if (!isOurs(path)) return real.unlinkSync(path);
  atPoint(`remove ${path}`, () => {
    real.unlinkSync(path);
    unsynced.removed(path);
  });
};

syncBuiltinESMExports();

if (traceFile !== undefined) {
  const sending = net.Socket.prototype as unknown as {
    _write(chunk: Buffer | string, encoding: BufferEncoding, done: unknown): void;
    _writev(chunks: { chunk: Buffer | string }[], done: unknown): void;
  };
  const { _write, _writev } = sending;
  sending._write = function (chunk, encoding, done) {
    note({ kind: 'send', text: chunk.toString() });
    _write.call(this, chunk, encoding, done);
  };
  sending._writev = function (chunks, done) {
    note({ kind: 'send', text: chunks.map(({ chunk }) => chunk.toString()).join('') });
    _writev.call(this, chunks, done);
  };
}

if (setup.control !== undefined) {
  let rest = '';
  const socket = net.connect(setup.control, () => socket.write(`${setup.node}\n`));
  socket.unref();
  socket.on('error', () => {});
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      orders = JSON.parse(line) as DiskOrders;
      isShort = false;
      if (orders.powerCut !== undefined) end(orders.powerCut, orders.isAllLost);
      socket.write('done\n');
    }
  });
}
