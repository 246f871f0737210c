import { DEFAULT_TIMING } from '../../src/raft/timing.ts';
import { CoreCluster, type CoreClusterOptions } from './core-cluster.ts';
import { Random } from './random.ts';

/** Which faults a schedule may bring about; a stage is only asked to bear what it claims to. */
export interface Faults {
  readonly crashes: boolean;
  /** Messages lost without a link that breaks; without them, a link keeps the order of what it carries. */
  readonly losses: boolean;
  readonly reads: boolean;
  readonly transfers: boolean;
  readonly changes?: boolean;
  readonly snapshots?: boolean;
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

/** Where in [0, 1) the dice of each kind of step end; what lies above the last disturbs links. */
interface Shares {
  readonly deliver: number;
  readonly round: number;
  readonly tick: number;
  readonly ask: number;
  readonly disk: number;
}

/** Some schedules are calm and some are wild, some busy and some idle: each kind finds faults of its own. */
function sharesFrom(random: Random): Shares {
  const [deliver, round, tick, ask, disk, links] = [0.9, 0.2, 0.5, 0.2, 0.15, 0.15].map(
    most => most * (0.1 + random.next()),
  ) as [number, number, number, number, number, number];
  const whole = deliver + round + tick + ask + disk + links;
  return {
    deliver: deliver / whole,
    round: (deliver + round) / whole,
    tick: (deliver + round + tick) / whole,
    ask: (deliver + round + tick + ask) / whole,
    disk: (deliver + round + tick + ask + disk) / whole,
  };
}

/**
 * Throws dice over everything that can happen to a cluster, one step at a time, while the cluster checks its
 * invariants; then ends all faults. The same seed is the same history.
 */
class Schedule {
  readonly cluster: CoreCluster;
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #shares: Shares;
  #commands = 0;
  #reads = 0;

  constructor(seed: number, faults: Faults, options: CoreClusterOptions) {
    this.#random = new Random(seed);
    this.#faults = faults;
    this.#shares = sharesFrom(this.#random);
    this.cluster = new CoreCluster({
      timing: { ...DEFAULT_TIMING, heartbeatTicks: 1, electionTicks: 3 },
      ...options,
    });
    this.cluster.installsLate = this.#random.below(2) === 0;
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step += 1) this.#step();
  }

  /** Ends all faults and lets time pass, until a leader's new command is applied everywhere. */
  settle(): void {
    const { cluster } = this;
    cluster.installsLate = false;
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
    for (const id of Object.keys(cluster.core(leader).state.configuration.nodes)) {
      if (cluster.applied(id).at(-1) !== 'last') throw new Error(`${id} has not applied the last command`);
    }
  }

  #step(): void {
    const { cluster } = this;
    const id = this.#random.pick(cluster.ids);
    const other = this.#random.pick(
      cluster.ids.length === 1 ? [id] : cluster.ids.filter(node => node !== id),
    );
    const dice = this.#random.next();
    const { deliver, round, tick, ask, disk } = this.#shares;
    if (!cluster.isRunning(id)) {
      if (dice < 0.3) cluster.restart(id);
    } else if (dice < deliver) {
      cluster.deliver(id, other, 1 + this.#random.below(3));
    } else if (dice < round) {
      cluster.deliverRound();
    } else if (dice < tick) {
      cluster.tick(id, 1 + this.#random.below(3));
    } else if (dice < ask) {
      this.#ask(id, other);
    } else if (dice < disk) {
      this.#disturbDisk(id);
    } else {
      this.#disturbLinks(id, other);
    }
  }

  #ask(id: string, other: string): void {
    const { cluster } = this;
    const dice = this.#random.next();
    const { leaders } = cluster;
    const leader = leaders.length > 0 ? this.#random.pick(leaders) : undefined;
    if (this.#faults.reads && dice < 0.3) {
      this.#reads += 1;
      cluster.read(id, this.#reads);
    } else if (leader !== undefined && this.#faults.transfers && dice < 0.4) {
      cluster.transfer(leader, leader === id ? other : id);
    } else if (leader !== undefined && this.#faults.changes === true && dice < 0.7) {
      this.#change(leader);
    } else if (leader !== undefined) {
      this.#commands += 1;
      cluster.propose(leader, `${this.#random.chance(0.3) ? 'large' : 'c'}${this.#commands}`);
    }
  }

  /** Some nodes become learners, and some of the members become the voters. */
  #change(leader: string): void {
    const core = this.cluster.core(leader);
    if (this.#random.chance(0.1)) core.cancelChange?.();
    if (core.obstacle !== undefined) return;
    const { nodes, voters } = core.state.configuration;
    if (this.#random.chance(0.4)) {
      const added = this.cluster.ids.filter(id => Object.hasOwn(nodes, id) || this.#random.chance(0.5));
      const left = added.filter(id => voters.includes(id) || this.#random.chance(0.8));
      this.cluster.change(leader, voters, left);
      return;
    }
    const members = Object.keys(nodes);
    const chosen = members.filter(() => this.#random.chance(0.6));
    const next = chosen.length > 0 ? chosen : [this.#random.pick(members)];
    this.cluster.change(leader, next, members, this.#random.chance(0.3));
  }

  #disturbDisk(id: string): void {
    const { cluster } = this;
    const dice = this.#random.next();
    if (this.#faults.snapshots === true && this.#random.chance(0.4)) {
      cluster.compact(id, this.#random.below(4));
    } else if (dice < 0.3) cluster.holdDisk(id);
    else if (dice < 0.5) cluster.sync(id, 1);
    else if (dice < 0.7) cluster.releaseDisk(id);
    else if (this.#faults.crashes) cluster.crash(id);
  }

  #disturbLinks(id: string, other: string): void {
    const { cluster } = this;
    const dice = this.#random.next();
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
