import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { parseAddress } from '../src/wire/address.ts';
import type { Histogram } from './histogram.ts';
import type { Callers, Task } from './load.ts';
import { linesOf } from './requests.ts';

const NEWLINE = 0x0a;
/** Milliseconds that a server has for its first answer. */
const GREETING = 10_000;

/**
 * Opens a socket for each caller. Requests are written as ready-made bytes and replies only counted, which costs least.
 * Each has had one answer when this resolves: a server takes one new connection in a turn of its event loop, and
 * while it serves some of them the others would wait, some 0.2 s of the measurement.
 */
export async function openLines(task: Task, answered: Histogram): Promise<Callers> {
  const { address, op, size, callers, depth } = task;
  const lines = linesOf(op, size);
  const text = lines.map(line => `${line}\n`).join('');
  const ring = Buffer.from(text + text);
  const sockets = Array.from({ length: callers }, () => connect({ ...parseAddress(address), noDelay: true }));
  await Promise.all(sockets.map(socket => once(socket, 'connect')));
  const all = sockets.map(
    (socket, n) => new LineCaller(socket, { ring, count: lines.length, first: n * 37 }, answered),
  );
  const opened = new LineCallers(all, depth);
  await Promise.all(all.map(caller => caller.greet()));
  if (all.some(caller => caller.fault !== undefined)) await opened.stop();
  return opened;
}

class LineCallers implements Callers {
  readonly #callers: readonly LineCaller[];
  readonly #depth: number;
  #turn = 0;

  constructor(callers: readonly LineCaller[], depth: number) {
    this.#callers = callers;
    this.#depth = depth;
  }

  begin(): void {
    for (const caller of this.#callers) caller.begin(this.#depth);
  }

  send(count: number, due: number): void {
    for (let left = count; left > 0; left -= 1) {
      this.#callers[this.#turn]?.send(1, due);
      this.#turn = (this.#turn + 1) % this.#callers.length;
    }
  }

  async stop(): Promise<void> {
    for (const caller of this.#callers) caller.close();
    const failed = this.#callers.find(caller => caller.fault !== undefined);
    if (failed !== undefined) throw new Error(failed.fault);
  }
}

/** Lines for a caller to send in turn: `ring` holds all of them twice over, so that any run of them is one slice. */
interface Supply {
  readonly ring: Buffer;
  readonly count: number;
  readonly first: number;
}

/** One connection. Its requests are all of one kind, so their answers are told by their number alone. */
class LineCaller {
  fault: string | undefined;
  readonly #socket: Socket;
  readonly #answered: Histogram;
  readonly #ring: Buffer;
  readonly #lineSize: number;
  readonly #lineCount: number;
  #next: number;
  #isLoop = false;
  #onGreeted = () => {};
  #isChecked = false;
  /** When requests were due, and how many at a time, oldest first. */
  #due: { readonly at: number; count: number }[] = [];
  #oldest = 0;

  constructor(socket: Socket, { ring, count, first }: Supply, answered: Histogram) {
    this.#socket = socket;
    this.#answered = answered;
    this.#ring = ring;
    this.#lineCount = count;
    this.#lineSize = ring.length / (2 * count);
    this.#next = first % count;
    socket.on('data', chunk => this.#take(chunk));
    socket.on('close', () => {
      this.fault ??= 'the server closed a connection';
      this.#onGreeted();
    });
    socket.on('error', error => {
      this.fault ??= error.message;
    });
  }

  /** Resolves when the server has answered a first request, or, with a fault, when it does not. */
  greet(): Promise<void> {
    return new Promise(resolve => {
      const late = setTimeout(() => {
        this.fault ??= `the server did not answer within ${GREETING} ms`;
        this.#onGreeted();
      }, GREETING);
      this.#onGreeted = () => {
        clearTimeout(late);
        this.#onGreeted = () => {};
        resolve();
      };
      this.send(1, performance.now());
    });
  }

  begin(depth: number): void {
    this.#isLoop = true;
    this.send(depth, performance.now());
  }

  send(count: number, due: number): void {
    const start = this.#next * this.#lineSize;
    this.#next = (this.#next + count) % this.#lineCount;
    this.#due.push({ at: due, count });
    this.#socket.write(this.#ring.subarray(start, start + count * this.#lineSize));
  }

  close(): void {
    this.#socket.removeAllListeners('close');
    this.#socket.removeAllListeners('data');
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    if (!this.#isChecked) {
      this.#isChecked = true;
      if (!chunk.includes('"ok":true')) this.fault ??= `the server answers ${chunk.toString('utf8', 0, 200)}`;
    }
    let count = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) count += 1;
    if (count === 0) return;
    const now = performance.now();
    this.#settle(count, now);
    this.#onGreeted();
    if (this.#isLoop) this.send(count, now);
  }

  #settle(count: number, now: number): void {
    for (let left = count; left > 0; ) {
      const batch = this.#due[this.#oldest];
      if (batch === undefined) throw new Error('more replies than requests');
      const settled = Math.min(left, batch.count);
      this.#answered.add(now - batch.at, settled);
      batch.count -= settled;
      left -= settled;
      if (batch.count === 0) this.#oldest += 1;
    }
    if (this.#oldest >= 1_024) {
      this.#due = this.#due.slice(this.#oldest);
      this.#oldest = 0;
    }
  }
}
