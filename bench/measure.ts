import { Generators } from './generators.ts';
import type { Seen, Task } from './load.ts';
import { processorTime } from './processes.ts';
import type { RunningSubject } from './subjects.ts';
import type { Load, Row, Table } from './tables.ts';

export interface Plan {
  readonly rounds: number;
  /** Milliseconds before each measurement, and of it. */
  readonly warmUp: number;
  readonly duration: number;
  /** Whether a look will do. */
  readonly isQuick: boolean;
}

/** A median with the least and the most of its rounds. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** A row's rounds under one load. */
export interface Measurement extends Load {
  readonly row: string;
  readonly opsPerSecond: Spread;
  /** Of the rate of the row that it is compared with, round by round; and so of its median latency. */
  readonly ratio?: Spread;
  readonly latencyRatio?: Spread;
  readonly goal?: number;
  readonly latencyGoal?: number;
  /** Milliseconds, medians of the rounds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** Shares of one processor that the server's processes and the load generator took. */
  readonly serverCpu: number;
  readonly loadCpu: number;
}

/** Enough to have every path compiled, few enough to take requests one by one, too. */
const WARM_UP: Load = { callers: 16, depth: 1 };

interface Round extends Seen {
  readonly serverCpu: number;
}

/**
 * Measures the rows of a table under each of its loads, side by side: round by round each has its turn, so that what
 * else the machine does meets all alike. Servers and load generators are processes of their own.
 */
export async function measureTable(
  table: Table,
  plan: Plan,
  directory: string,
  report: (load: Load, measurements: readonly Measurement[]) => void,
): Promise<void> {
  const running = new Map<string, RunningSubject>();
  const generators = new Generators();
  try {
    for (const { subject } of table.rows) {
      if (running.has(subject.name)) continue;
      running.set(subject.name, await subject.start(`${directory}/${subject.name.replace(/\W+/g, '-')}`));
    }
    const bench = new Bench(table, plan, running, generators);
    await bench.prepare();
    for (const [at, load] of table.loads.entries()) report(load, await bench.measure(load, at));
  } finally {
    await Promise.all([...running.values()].map(subject => subject.stop()));
    await generators.stop();
  }
}

class Bench {
  readonly #table: Table;
  readonly #plan: Plan;
  readonly #running: ReadonlyMap<string, RunningSubject>;
  readonly #generators: Generators;

  constructor(
    table: Table,
    plan: Plan,
    running: ReadonlyMap<string, RunningSubject>,
    generators: Generators,
  ) {
    this.#table = table;
    this.#plan = plan;
    this.#running = running;
    this.#generators = generators;
  }

  #subject(row: Row): RunningSubject {
    const subject = this.#running.get(row.subject.name);
    if (subject === undefined) throw new Error(`${row.subject.name} does not run`);
    return subject;
  }

  #task(row: Row, { callers, depth }: Load): Task {
    const { way, op, size } = row;
    const { warmUp, duration } = this.#plan;
    return { address: this.#subject(row).address, way, op, size, callers, depth, warmUp, duration };
  }

  /** Writes what will be read, and has every server work until its code is warm, as it is in a server that runs for long. */
  async prepare(): Promise<void> {
    for (const row of this.#table.rows) {
      const task = this.#task(row, WARM_UP);
      if (row.op === 'get' && row.subject.name !== 'echo') await this.#generators.prepare(task);
    }
    for (const row of this.#table.rows) await this.#generators.run(this.#task(row, WARM_UP));
  }

  async measure(load: Load, at: number): Promise<Measurement[]> {
    const { rows } = this.#table;
    const rates = load.share === undefined ? undefined : await this.#calibrate(load, load.share);
    const seen = new Map<string, Round[]>(rows.map(({ name }) => [name, []]));
    for (let round = 0; round < this.#plan.rounds; round += 1) {
      // Every other round goes backwards, so that nobody always comes after the same neighbour.
      for (const row of round % 2 ? rows.toReversed() : rows) {
        const rate = rates?.get(row.paceOf ?? row.name);
        seen.get(row.name)?.push(await this.#round({ ...this.#task(row, load), ...(rate && { rate }) }, row));
      }
    }
    return rows.map(row => summary(row, load, at, seen));
  }

  async #round(task: Task, row: Row): Promise<Round> {
    const { pids } = this.#subject(row);
    const before = processorTime(pids);
    const began = performance.now();
    const seen = await this.#generators.run(task);
    return { ...seen, serverCpu: (processorTime(pids) - before) / (performance.now() - began) };
  }

  /** The rates of an open loop: a share of what each row reaches when every answer brings the next request. */
  async #calibrate(load: Load, share: number): Promise<Map<string, number>> {
    const rates = new Map<string, number>();
    for (const row of this.#table.rows) {
      if (row.paceOf !== undefined) continue;
      const tries: number[] = [];
      for (let count = 0; count < 3; count += 1) {
        tries.push((await this.#generators.run(this.#task(row, load))).opsPerSecond);
      }
      rates.set(row.name, share * spread(tries).median);
    }
    return rates;
  }
}

function summary(row: Row, load: Load, at: number, seen: ReadonlyMap<string, readonly Round[]>): Measurement {
  const rounds = seen.get(row.name) ?? [];
  const others = row.against === undefined ? undefined : seen.get(row.against);
  const median = (pick: (round: Round) => number) => spread(rounds.map(pick)).median;
  const ratios = (pick: (round: Round) => number, other: readonly Round[]) =>
    spread(rounds.flatMap((round, n) => (other[n] === undefined ? [] : [pick(round) / pick(other[n])])));
  const goal = row.goals?.[at];
  const latencyGoal = row.latencyGoals?.[at];
  return {
    ...load,
    row: row.name,
    opsPerSecond: spread(rounds.map(round => round.opsPerSecond)),
    ...(others && {
      ratio: ratios(round => round.opsPerSecond, others),
      latencyRatio: ratios(round => round.p50, others),
    }),
    ...(goal && { goal }),
    ...(latencyGoal && { latencyGoal }),
    p50: median(round => round.p50),
    p99: median(round => round.p99),
    p999: median(round => round.p999),
    serverCpu: median(round => round.serverCpu),
    loadCpu: median(round => round.cpu),
  };
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = Number.NaN, high = low] =
    sorted.length % 2 ? [sorted[middle]] : sorted.slice(middle - 1, middle + 1);
  return { median: (low + high) / 2, least: sorted[0] ?? Number.NaN, most: sorted.at(-1) ?? Number.NaN };
}
