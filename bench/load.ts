import type { Answer, Order } from './generators.ts';
import { Histogram } from './histogram.ts';
import { openLines } from './line-callers.ts';
import { openPromises, writeAll } from './promise-callers.ts';
import type { Operation } from './requests.ts';

/**
 * How requests reach a server: written to sockets as ready-made lines, or through a client, a promise for each.
 * `unnumbered` is the client without a session.
 */
export type Way = 'lines' | 'raftline' | 'unnumbered' | 'grpc' | 'etcd3';

/** What the load generator is told to do. */
export interface Task {
  readonly address: string;
  readonly way: Way;
  readonly op: Operation;
  /** Characters of a value. */
  readonly size: number;
  readonly callers: number;
  /** Requests that each caller has under way. */
  readonly depth: number;
  /** Requests a second, however slow the answers are; without it each answer brings the next request. */
  readonly rate?: number;
  /** Milliseconds before the measurement, and of it. */
  readonly warmUp: number;
  readonly duration: number;
}

/** What it saw. Latencies are in milliseconds, `cpu` is its own share of one processor. */
export interface Seen {
  readonly opsPerSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly cpu: number;
}

/** Callers of one server; each request that is answered is a duration in the histogram that they were given. */
export interface Callers {
  /** Lets every caller begin; each answer brings its next request. */
  begin(): void;
  /** Sends so many requests, whatever is under way; their durations count from `due`. */
  send(count: number, due: number): void;
  /** Stops, and throws what has gone wrong meanwhile. */
  stop(): Promise<void>;
}

async function run(task: Task): Promise<Seen> {
  const { way, rate, warmUp, duration } = task;
  const answered = new Histogram();
  const callers = way === 'lines' ? await openLines(task, answered) : await openPromises(task, answered);
  if (rate === undefined) callers.begin();
  const pacer = rate === undefined ? undefined : pace(rate, callers);
  await pause(warmUp);

  answered.clear();
  const cpu = process.cpuUsage();
  const began = performance.now();
  await pause(duration);
  const took = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  const seen = {
    opsPerSecond: (answered.total * 1_000) / took,
    p50: answered.percentile(0.5),
    p99: answered.percentile(0.99),
    p999: answered.percentile(0.999),
    cpu: (user + system) / 1_000 / took,
  };
  clearInterval(pacer);
  await callers.stop();
  if (seen.opsPerSecond === 0) throw new Error(`${task.address} answered nothing in ${duration} ms`);
  return seen;
}

/**
 * Sends at a rate: what is due in a millisecond goes at its beginning, and counts from there even when this process
 * comes late. So a server that stalls is charged for everything that should have been asked meanwhile.
 */
function pace(rate: number, callers: Callers): NodeJS.Timeout {
  const start = Math.ceil(performance.now());
  let sent = 0;
  let at = start;
  return setInterval(() => {
    for (; at <= performance.now(); at += 1) {
      const due = Math.floor(((at - start) * rate) / 1_000) - sent;
      if (due > 0) callers.send(due, at);
      sent += due;
    }
  }, 1);
}

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

async function carryOut(order: Order): Promise<Answer> {
  if ('run' in order) return { seen: await run(order.run) };
  await writeAll(order.prepare);
  return {};
}

process.on('disconnect', () => process.exit(0));
process.on('message', (order: Order) => {
  carryOut(order)
    .catch((error: unknown) => ({ error: error instanceof Error ? error.message : String(error) }))
    .then(answer => process.send?.(answer));
});
