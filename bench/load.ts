import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { parseAddress } from '../src/wire/address.ts';
import { Histogram } from './histogram.ts';

/** What the load generator is told to do. */
export interface Task {
  readonly address: string;
  readonly connections: number;
  /** Requests that each connection has under way. */
  readonly depth: number;
  readonly lines: readonly string[];
  /** Milliseconds before the measurement, and of it. */
  readonly warmUp: number;
  readonly duration: number;
}

/** What it saw. Latencies are in milliseconds, `cpu` is its own share of one processor. */
export interface Seen {
  readonly opsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpu: number;
}

const NEWLINE = 0x0a;

/** One connection that keeps `depth` requests under way: for every reply that comes, the next request leaves. */
class Caller {
  replies = 0;
  latencies = new Histogram();
  readonly #socket: Socket;
  /** All lines twice over, so that any run of up to all of them is one slice. */
  readonly #ring: Buffer;
  readonly #lineSize: number;
  readonly #lineCount: number;
  #next: number;
  /** When requests were sent, and how many at a time, oldest first. */
  #sent: { readonly at: number; count: number }[] = [];
  #oldest = 0;

  constructor(socket: Socket, lines: readonly string[], ring: Buffer, first: number) {
    this.#socket = socket;
    this.#ring = ring;
    this.#lineCount = lines.length;
    this.#lineSize = ring.length / (2 * lines.length);
    this.#next = first % lines.length;
    socket.on('data', chunk => this.#take(chunk));
  }

  send(count: number, now: number): void {
    const start = this.#next * this.#lineSize;
    this.#next = (this.#next + count) % this.#lineCount;
    this.#sent.push({ at: now, count });
    this.#socket.write(this.#ring.subarray(start, start + count * this.#lineSize));
  }

  #take(chunk: Buffer): void {
    let count = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) count += 1;
    if (count === 0) return;
    const now = performance.now();
    this.replies += count;
    this.#settle(count, now);
    this.send(count, now);
  }

  #settle(count: number, now: number): void {
    for (let left = count; left > 0; ) {
      const batch = this.#sent[this.#oldest];
      if (batch === undefined) throw new Error('more replies than requests');
      const settled = Math.min(left, batch.count);
      this.latencies.add(now - batch.at, settled);
      batch.count -= settled;
      left -= settled;
      if (batch.count === 0) this.#oldest += 1;
    }
    if (this.#oldest >= 1_024) {
      this.#sent = this.#sent.slice(this.#oldest);
      this.#oldest = 0;
    }
  }
}

async function run({ address, connections, depth, lines, warmUp, duration }: Task): Promise<Seen> {
  const text = lines.map(line => `${line}\n`).join('');
  const ring = Buffer.from(text + text);
  const sockets = Array.from({ length: connections }, () =>
    connect({ ...parseAddress(address), noDelay: true }),
  );
  await Promise.all(sockets.map(socket => once(socket, 'connect')));
  const isOk = once(sockets[0] as Socket, 'data').then(([chunk]) => (chunk as Buffer).includes('"ok":true'));
  const callers = sockets.map((socket, n) => new Caller(socket, lines, ring, n * 37));
  for (const caller of callers) caller.send(depth, performance.now());
  await pause(warmUp);
  if (!(await isOk)) throw new Error(`${address} does not answer ${lines[0]} with ok`);

  for (const caller of callers) {
    caller.replies = 0;
    caller.latencies = new Histogram();
  }
  const cpu = process.cpuUsage();
  const began = performance.now();
  await pause(duration);
  const took = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  for (const socket of sockets) socket.destroy();

  const all = new Histogram();
  for (const caller of callers) all.merge(caller.latencies);
  return {
    opsPerSecond: (callers.reduce((sum, caller) => sum + caller.replies, 0) * 1_000) / took,
    p50: all.percentile(0.5),
    p99: all.percentile(0.99),
    cpu: (user + system) / 1_000 / took,
  };
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

process.on('disconnect', () => process.exit(0));
process.on('message', async (task: Task) => {
  process.send?.(await run(task));
});
