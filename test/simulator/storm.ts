import type { Dice } from './dice.ts';
import { MS } from './event-loop.ts';
import type { SimNode } from './sim-node.ts';
import { FAIR, type SimRoad, type Weather } from './sim-road.ts';
import type { World } from './world.ts';

/** Everything that a storm can do, and how often it does it beside the others. */
const FAULTS = {
  kill: 4,
  'lose power': 4,
  'lose all power': 0.6,
  'kill all': 0.4,
  pause: 4,
  stall: 6,
  'cut off': 4,
  split: 4,
  'one way': 4,
  mesh: 2,
  'break links': 3,
  weather: 4,
  'slow link': 3,
  'slow disk': 3,
  'stalled disk': 3,
  'failing disk': 1.5,
  'full disk': 2,
  'hand over': 2,
} as const;

export type Fault = keyof typeof FAULTS;
export const ALL_FAULTS = Object.keys(FAULTS) as Fault[];

/**
 * What goes wrong in a run: storms in which one thing after another fails, each for a while, and quiet between them.
 * Half of it strikes the leader, where it matters most. Every world has its own mix of faults.
 */
export class Storm {
  readonly counts = new Map<Fault, number>();
  readonly #world: World;
  readonly #dice: Dice;
  readonly #mix: readonly Fault[];
  /** Milliseconds between two faults of a storm, about. */
  readonly #pace: number;
  #isOver = false;

  constructor(world: World, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
    this.#pace = dice.pick([150, 400, 1_000, 2_500]);
    const likes = new Set(dice.shuffled(ALL_FAULTS).slice(0, dice.between(4, ALL_FAULTS.length)));
    this.#mix = ALL_FAULTS.flatMap(fault =>
      Array<Fault>(likes.has(fault) ? Math.round(FAULTS[fault] * 10) : 0).fill(fault),
    );
    world.onFatal = node => this.#onFatal(node);
    this.#quiet();
  }

  /** Ends the storm for good and mends everything. */
  end(): void {
    this.#isOver = true;
    const { nodes, machines } = this.#world;
    for (const link of machines.network.roads) {
      link.weather = FAIR;
      link.mend();
    }
    for (const node of nodes) {
      this.#mendDisk(node);
      node.process?.loop.resume();
      this.#world.start(node);
    }
  }

  #after(milliseconds: number, run: () => void): void {
    this.#world.timeline.after(milliseconds * MS, () => {
      if (!this.#isOver) run();
    });
  }

  #quiet(): void {
    this.#after(this.#dice.between(1_000, 4_000), () => {
      const { timeline } = this.#world;
      this.#blow(timeline.now + this.#dice.between(2_000, 12_000) * MS);
    });
  }

  #blow(until: number): void {
    this.#after(this.#dice.around(this.#pace) + 1, () => {
      if (this.#world.timeline.now > until) {
        this.#quiet();
        return;
      }
      const fault = this.#dice.pick(this.#mix);
      this.counts.set(fault, (this.counts.get(fault) ?? 0) + 1);
      this.#strike(fault);
      this.#blow(until);
    });
  }

  #strike(fault: Fault): void {
    const world = this.#world;
    const dice = this.#dice;
    const node = (dice.chance(0.5) ? world.leader : undefined) ?? dice.pick(world.nodes);
    const while_ = dice.pick([50, 200, 600, 1_500, 4_000]) + dice.around(100);
    world.tell(() => `fault: ${fault} at ${node.id} for ${while_} ms`);
    switch (fault) {
      case 'kill':
        world.kill(node);
        this.#startLater(node, while_);
        return;
      case 'lose power':
        world.losePower(node);
        this.#startLater(node, while_);
        return;
      case 'lose all power':
      case 'kill all':
        for (const one of world.nodes) {
          if (fault === 'kill all') world.kill(one);
          else world.losePower(one);
          this.#startLater(one, dice.around(300));
        }
        return;
      case 'pause':
        world.pause(node, while_);
        return;
      case 'stall':
        world.pause(node, dice.between(1, 40));
        return;
      case 'hand over':
        world.ask(node, { op: 'transfer-leader', to: dice.pick(world.nodes).id });
        return;
      case 'slow disk':
        node.disk.latency = dice.pick([5, 30, 200]) * MS;
        this.#after(while_, () => this.#mendDisk(node));
        return;
      case 'stalled disk':
        node.disk.stalls = () => true;
        this.#after(while_, () => this.#mendDisk(node));
        return;
      case 'full disk':
        node.disk.room = dice.below(1_000);
        this.#after(while_, () => this.#mendDisk(node));
        return;
      case 'failing disk':
        node.disk.failsNextSync = true;
        return;
      default:
        this.#strikeNetwork(fault, node, while_);
    }
  }

  #strikeNetwork(fault: Fault, node: SimNode, while_: number): void {
    const { nodes, machines } = this.#world;
    const links = machines.network.roads;
    const dice = this.#dice;
    const others = nodes.filter(other => other !== node);
    const pairs = (from: readonly SimNode[], to: readonly SimNode[]) =>
      from.flatMap(one => to.flatMap(other => (one === other ? [] : [this.#world.road(one.id, other.id)])));
    const cut = (cuts: ReturnType<typeof pairs>) => {
      const holds = dice.chance(0.3);
      for (const link of cuts) link.cut(holds);
      this.#after(while_, () => {
        for (const link of cuts) link.mend();
      });
      if (!dice.chance(0.3)) return;
      this.#after(dice.below(while_), () => {
        for (const link of cuts) link.break();
      });
    };
    switch (fault) {
      case 'cut off':
        cut([...pairs([node], others), ...pairs(others, [node])]);
        return;
      case 'split': {
        const shuffled = dice.shuffled(nodes);
        const [one, two] = [shuffled.slice(0, nodes.length >> 1), shuffled.slice(nodes.length >> 1)];
        cut([...pairs(one, two), ...pairs(two, one)]);
        return;
      }
      case 'one way':
        cut(dice.chance(0.5) ? pairs([node], others) : pairs(others, [node]));
        return;
      case 'mesh':
        cut(links.filter(() => dice.chance(0.4)));
        return;
      case 'break links':
        for (const link of links) if (dice.chance(0.5)) link.break();
        return;
      case 'slow link':
        this.#weather(dice.pick([pairs([node], others), [dice.pick(links)]]), while_, {
          ...FAIR,
          delay: 150 * MS,
        });
        return;
      case 'weather':
        this.#weather(links, while_, {
          delay: dice.pick([400, 3 * MS, 20 * MS]),
          loss: dice.pick([0, 0.02, 0.2]),
          duplication: dice.pick([0, 0.05, 0.3]),
          reordering: dice.pick([0, 0.1, 0.5]),
        });
        return;
      default:
        throw new Error(`${fault} is no fault of the network`);
    }
  }

  #weather(links: readonly SimRoad[], while_: number, weather: Weather): void {
    for (const link of links) link.weather = weather;
    this.#after(while_, () => {
      for (const link of links) link.weather = FAIR;
    });
  }

  #startLater(node: SimNode, milliseconds: number): void {
    this.#after(milliseconds, () => this.#world.start(node));
  }

  #mendDisk({ disk }: SimNode): void {
    disk.latency = 400;
    disk.room = Number.POSITIVE_INFINITY;
    disk.failsNextSync = false;
    disk.unstall();
  }

  /** A node ends itself when its disk fails; what the disk then holds is as after a loss of power. */
  #onFatal(node: SimNode): void {
    const { life } = node;
    this.#world.timeline.after(0, () => {
      if (node.life !== life) return;
      this.#world.losePower(node);
      this.#startLater(node, 1_000);
      if (this.#isOver) this.#world.start(node);
    });
  }
}
