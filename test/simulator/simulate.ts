import { Dice } from './dice.ts';
import { MS } from './event-loop.ts';
import type { Tally } from './history.ts';
import { type Deed, Operator } from './operator.ts';
import { type Fault, Storm } from './storm.ts';
import { Violation } from './violation.ts';
import { World } from './world.ts';

/** Milliseconds of a run under storms, and how long the cluster then has to be well again. */
const STORMY = 60_000;
const RECOVERY = 10_000;

export interface SimulateOptions {
  /** Milliseconds under storms; a minute unless told. */
  readonly duration?: number;
  readonly trace?: (line: string) => void;
}

/** What became of one seed. */
export interface Run {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly seconds: number;
  readonly turns: number;
  readonly elections: number;
  readonly restores: number;
  readonly configurations: number;
  readonly entries: number;
  readonly restarts: number;
  readonly tally: Tally;
  /** See `World`. */
  readonly searched: number;
  readonly faults: ReadonlyMap<Fault, number>;
  readonly deeds: ReadonlyMap<Deed, number>;
  /** Revisions that watchers were told of, and how often one of them went on at another node. */
  readonly told: number;
  readonly resumed: number;
}

/** Runs the history of a seed: a cluster in storms, and then its recovery. */
export function simulate(seed: number, { duration = STORMY, trace }: SimulateOptions = {}): Run {
  const dice = new Dice(seed);
  const world = new World({
    seed,
    size: dice.pick([3, 3, 3, 5, 5, 4, 2]),
    drift: dice.pick([0, 0.01, 0.1, 0.3]),
    isHaunted: dice.chance(0.5),
    segmentBytes: dice.pick([2_000, 16_384, 200_000]),
    ballotBytes: dice.pick([200, 2_000]),
    limits: {
      entries: dice.pick([25, 80, 300, 100_000]),
      bytes: 67_108_864,
      tail: dice.pick([0, 3, 40]),
      piece: dice.pick([300, 5_000, 131_072]),
    },
    history: { revisions: dice.pick([20, 60, 60, 250]), characters: 1_000_000 },
    trace,
  });
  for (const node of world.nodes) world.timeline.after(dice.below(500) * MS, () => world.start(node));
  const keys = ['/a', '/b', '/c', '/d', '/e'].slice(0, dice.between(1, 5));
  const pause = dice.pick([30, 100, 300]) * MS;
  const clients = dice.between(2, 5);
  for (let client = 1; client <= clients; client += 1) {
    world.addClient(`c${client}`, { keys, most: dice.pick([1, 3, 8]), pause });
  }
  const applications = dice.between(0, 3);
  for (let application = 1; application <= applications; application += 1) {
    world.addApplication(`a${application}`, {
      keys: ['/s/1', '/s/2'],
      most: dice.pick([1, 3]),
      pause: pause * 2,
    });
  }
  const watchers = dice.between(0, 3);
  for (let watcher = 1; watcher <= watchers; watcher += 1) {
    world.addWatcher(`w${watcher}`, dice.pick(['/', '/t/', '/l/', '/a']));
  }
  const storm = new Storm(world, dice.fork());
  const operator = dice.chance(0.5) ? new Operator(world, dice.fork()) : undefined;
  const isStanding = world.run(duration);
  operator?.end();
  if (isStanding) recover(world, storm);
  return {
    seed,
    violation: world.violation,
    seconds: world.seconds,
    turns: world.turns,
    elections: world.invariants.elections,
    restores: world.invariants.restores,
    configurations: world.invariants.configurations,
    entries: world.ledger.last,
    restarts: world.nodes.reduce((sum, node) => sum + node.life - 1, 0),
    tally: world.tally,
    searched: world.searched,
    faults: storm.counts,
    deeds: operator?.counts ?? new Map(),
    told: world.watchers.reduce((sum, { events }) => sum + events, 0),
    resumed: world.watchers.reduce((sum, { resumed }) => sum + resumed, 0),
  };
}

/** All is mended: the cluster must take on changes again within a bound, and its nodes become equal. */
function recover(world: World, storm: Storm): void {
  storm.end();
  for (const watcher of world.watchers) watcher.settle(() => world.members);
  const { last } = world.ledger;
  const areTold = () => world.watchers.every(({ isLevel }) => isLevel);
  const isWell = () => world.ledger.last > last + 3 && world.isLevel && areTold();
  world.runUntil(() => world.ledger.last > last + 3, RECOVERY);
  world.stopClients();
  if (!world.runUntil(isWell, RECOVERY) && world.violation === undefined) {
    world.fail(new Violation('a cluster whose faults are mended is well again', world.description));
  }
  if (world.violation !== undefined) return;
  world.run(500);
  world.finishClients();
  world.finalChecks();
}
