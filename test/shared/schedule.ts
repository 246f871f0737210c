import { CoreCluster, type CoreClusterOptions } from './core-cluster.ts';

/** Which faults a schedule may bring about; a stage is only asked to bear what it claims to. */
export interface Faults {
  readonly crashes: boolean;
  /** Messages lost without a link that breaks; without them, a link keeps the order of what it carries. */
  readonly losses: boolean;
  readonly reads: boolean;
  readonly transfers: boolean;
}

/** How many schedules a test runs; more of them with SCHEDULES=…. */
const SCHEDULES = Number(process.env.SCHEDULES ?? 40);
const STEPS = 600;

/** Runs schedules one after the other; a failure names the seed that repeats it. */
export function runSchedules(faults: Faults, options: CoreClusterOptions): void {
  for (let seed = 1; seed <= SCHEDULES; seed += 1) {
    const schedule = new Schedule(seed, faults, options);
    try {
      schedule.run(STEPS);
      schedule.settle();
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** Numbers in [0, 1) from a seed, the same everywhere (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Throws dice over everything that can happen to a cluster, one step at a time, while the cluster checks its
 * invariants; then ends all faults. The same seed is the same history.
 */
class Schedule {
  readonly cluster: CoreCluster;
  readonly #random: () => number;
  readonly #faults: Faults;
  #commands = 0;
  #reads = 0;

  constructor(seed: number, faults: Faults, options: CoreClusterOptions) {
    this.#random = randomFrom(seed);
    this.#faults = faults;
    this.cluster = new CoreCluster(options);
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step += 1) this.#step();
  }

  /** Ends all faults and lets time pass, until a leader's new command is applied everywhere. */
  settle(): void {
    const { cluster } = this;
    cluster.heal();
    for (const id of cluster.ids) {
      if (!cluster.isRunning(id)) cluster.restart(id);
      cluster.releaseDisk(id);
    }
    for (let ticks = 0; ticks < 20 * cluster.timing.electionTicks; ticks += 1) {
      cluster.tickAll();
      cluster.deliverAll();
    }
    const [leader, ...others] = cluster.leaders;
    if (leader === undefined || others.length > 0) throw new Error(`leaders at the end: ${cluster.leaders}`);
    cluster.propose(leader, 'last');
    cluster.deliverAll();
    for (const id of cluster.ids) {
      if (cluster.applied(id).at(-1) !== 'last') throw new Error(`${id} has not applied the last command`);
    }
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }

  #step(): void {
    const { cluster } = this;
    const id = this.#pick(cluster.ids) ?? '';
    const other = this.#pick(cluster.ids.filter(node => node !== id)) ?? id;
    const dice = this.#random();
    if (!cluster.isRunning(id)) {
      if (dice < 0.2) cluster.restart(id);
    } else if (dice < 0.5) {
      cluster.deliver(id, other, 1 + Math.floor(this.#random() * 3));
    } else if (dice < 0.65) {
      cluster.deliverRound();
    } else if (dice < 0.8) {
      cluster.tick(id, 1 + Math.floor(this.#random() * 6));
    } else if (dice < 0.88) {
      this.#ask(id, other);
    } else if (dice < 0.94) {
      this.#disturbDisk(id);
    } else {
      this.#disturbLinks(id, other);
    }
  }

  #ask(id: string, other: string): void {
    const { cluster } = this;
    const dice = this.#random();
    const leader = this.#pick(cluster.leaders);
    if (this.#faults.reads && dice < 0.3) {
      this.#reads += 1;
      cluster.read(id, this.#reads);
    } else if (leader !== undefined && this.#faults.transfers && dice < 0.4) {
      cluster.transfer(leader, leader === id ? other : id);
    } else if (leader !== undefined) {
      this.#commands += 1;
      cluster.propose(leader, `c${this.#commands}`);
    }
  }

  #disturbDisk(id: string): void {
    const { cluster } = this;
    const dice = this.#random();
    if (dice < 0.3) cluster.holdDisk(id);
    else if (dice < 0.5) cluster.sync(id, 1);
    else if (dice < 0.7) cluster.releaseDisk(id);
    else if (this.#faults.crashes) cluster.crash(id);
  }

  #disturbLinks(id: string, other: string): void {
    const { cluster } = this;
    const dice = this.#random();
    if (dice < 0.2) cluster.cut(id, other);
    else if (dice < 0.25) cluster.isolate(id);
    else if (dice < 0.5) cluster.heal();
    else if (!this.#faults.losses) return;
    else if (dice < 0.6) cluster.cutOneWay(id, other);
    else if (dice < 0.75) cluster.drop(id, other);
    else if (dice < 0.9) cluster.duplicate(id, other);
    else cluster.reverse(id, other);
  }
}
