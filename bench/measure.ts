import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Seen, Task } from './load.ts';
import type { Contender, RunningSubject, Subject } from './subjects.ts';

/** How the load comes. */
export interface Shape {
  readonly connections: number;
  readonly depth: number;
}

export interface Plan {
  readonly shapes: readonly Shape[];
  readonly rounds: number;
  readonly warmUp: number;
  readonly duration: number;
}

/** The medians of a contender's rounds under one shape of load; `least` and `most` are the spread of the rate. */
export interface Measurement extends Shape {
  readonly name: string;
  readonly opsPerSecond: number;
  readonly least: number;
  readonly most: number;
  /** Of the rate of its limit, round by round. */
  readonly ratio: number;
  readonly p50: number;
  readonly p99: number;
  /** Shares of one processor that the server and the load generator took. */
  readonly serverCpu: number;
  readonly loadCpu: number;
}

interface Round extends Seen {
  readonly serverCpu: number;
}

interface Entrant extends Contender {
  readonly subject: RunningSubject;
}

/**
 * Measures all contenders under each shape of load, side by side: round by round each has its turn, so that what
 * else the machine does meets all alike. Servers and load generator are processes of their own.
 */
export async function measure(
  subjects: readonly Subject[],
  plan: Plan,
  report: (measurements: readonly Measurement[]) => void,
): Promise<void> {
  const load = fork(fileURLToPath(new URL('load.js', import.meta.url)));
  const running: RunningSubject[] = [];
  try {
    const entrants: Entrant[] = [];
    for (const { start, contenders } of subjects) {
      const subject = await start();
      running.push(subject);
      for (const contender of contenders) entrants.push({ ...contender, subject });
    }
    for (const shape of plan.shapes) report(await measureShape(entrants, shape, plan, load));
  } finally {
    await Promise.all(running.map(subject => subject.stop()));
    const gone = once(load, 'exit');
    if (load.connected) {
      load.disconnect();
      await gone;
    }
  }
}

async function measureShape(
  entrants: readonly Entrant[],
  shape: Shape,
  { rounds, warmUp, duration }: Plan,
  load: ChildProcess,
): Promise<Measurement[]> {
  const seen = new Map<string, Round[]>(entrants.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    // Every other round goes backwards, so that nobody always comes after the same neighbour.
    for (const { name, lines, subject } of round % 2 ? entrants.toReversed() : entrants) {
      const before = await subject.cpu();
      const result = await run(load, { address: subject.address, lines, warmUp, duration, ...shape });
      const serverCpu = ((await subject.cpu()) - before) / (warmUp + duration);
      seen.get(name)?.push({ ...result, serverCpu });
    }
  }
  return entrants.map(({ name, limit }) => {
    const results = seen.get(name) ?? [];
    const bare = seen.get(limit) ?? [];
    const of = (pick: (round: Round) => number) => median(results.map(pick));
    const rates = results.map(result => result.opsPerSecond);
    const ratios = rates.map((rate, round) => rate / (bare[round]?.opsPerSecond ?? Number.NaN));
    return {
      ...shape,
      name,
      opsPerSecond: median(rates),
      least: Math.min(...rates),
      most: Math.max(...rates),
      ratio: median(ratios),
      p50: of(round => round.p50),
      p99: of(round => round.p99),
      serverCpu: of(round => round.serverCpu),
      loadCpu: of(round => round.cpu),
    };
  });
}

/** One measurement; fails when the load generator ends instead of answering. */
function run(load: ChildProcess, task: Task): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`the load generator ended with ${code}`));
    load.once('exit', ended);
    load.once('message', seen => {
      load.off('exit', ended);
      resolve(seen as Seen);
    });
    load.send(task);
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = Number.NaN, high = low] =
    sorted.length % 2 ? [sorted[middle]] : sorted.slice(middle - 1, middle + 1);
  return (low + high) / 2;
}
