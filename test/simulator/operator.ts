import type { Configuration } from '../../src/raft/configuration.ts';
import type { Request } from '../../src/wire/ops.ts';
import type { Dice } from './dice.ts';
import { MS } from './event-loop.ts';
import type { SimNode } from './sim-node.ts';
import type { World } from './world.ts';

/** What an operator can do, and how often beside the others. */
const DEEDS = { add: 4, change: 5, remove: 2, 'turn off': 2, lose: 1, wipe: 1 } as const;

export type Deed = keyof typeof DEEDS;
export const ALL_DEEDS = Object.keys(DEEDS) as Deed[];

/** Machines that run at a time, and that ever were. */
const MOST_RUNNING = 7;
const MOST_EVER = 14;
/** Tries of one request, and milliseconds after which nobody waits for it any more. */
const TRIES = 6;
const PATIENCE = 12_000;

/**
 * Whoever looks after the cluster, once it has begun: brings new machines and takes old ones away, in the midst of
 * storms, and now and then loses one with all that it had. Never so many that no majority is left, in any configuration
 * that a log holds; and none that somebody has yet to meet, who could not tell that it is another.
 */
export class Operator {
  readonly counts = new Map<Deed, number>();
  readonly #world: World;
  readonly #dice: Dice;
  readonly #deeds: readonly Deed[];
  /** Milliseconds between two deeds, about. */
  readonly #pace: number;
  #isOver = false;
  /** Until when a change may be under way. */
  #busyUntil = 0;

  constructor(world: World, dice: Dice) {
    this.#world = world;
    this.#dice = dice;
    this.#pace = dice.pick([400, 1_500, 4_000]);
    const likes = new Set(dice.shuffled(ALL_DEEDS).slice(0, dice.between(3, ALL_DEEDS.length)));
    this.#deeds = ALL_DEEDS.flatMap(deed => Array<Deed>(likes.has(deed) ? DEEDS[deed] : 0).fill(deed));
    this.#next();
  }

  end(): void {
    this.#isOver = true;
  }

  #after(milliseconds: number, run: () => void): void {
    this.#world.timeline.after(milliseconds * MS, () => {
      if (!this.#isOver) run();
    });
  }

  #next(): void {
    this.#after(this.#dice.around(this.#pace) + 10, () => {
      const deed = this.#dice.pick(this.#deeds);
      this.counts.set(deed, (this.counts.get(deed) ?? 0) + 1);
      this.#do(deed);
      this.#next();
    });
  }

  /** The machines that still have what they had. */
  get #sound(): readonly SimNode[] {
    return this.#world.nodes.filter(({ isGone, isLost }) => !isGone && !isLost);
  }

  #do(deed: Deed): void {
    const dice = this.#dice;
    const { configuration } = this.#world.invariants;
    // Until some log says who the members are, no machine can be told from one that nobody needs.
    if (configuration.voters.length === 0) return;
    const members = this.#sound.filter(({ id }) => Object.hasOwn(configuration.nodes, id));
    switch (deed) {
      case 'add':
        this.#add();
        return;
      case 'change': {
        const voters = dice.shuffled(members).slice(0, dice.between(1, 5));
        if (voters.length > 0) this.#ask({ op: 'change-membership', members: voters.map(({ id }) => id) });
        return;
      }
      case 'remove': {
        const lost = Object.keys(configuration.nodes).filter(id => !members.some(node => node.id === id));
        const node = lost.length > 0 && dice.chance(0.7) ? dice.pick(lost) : dice.pick(this.#world.nodes).id;
        this.#ask({ op: 'remove-node', node });
        return;
      }
      default:
        this.#takeAway(deed);
    }
  }

  #add(): void {
    const { machines, nodes } = this.#world;
    const waiting = this.#sound.filter(({ raft }) => raft === undefined || raft.state.isRemoved);
    const isFull = this.#sound.length >= MOST_RUNNING || nodes.length >= MOST_EVER;
    const node = isFull || this.#dice.chance(0.3) ? waiting[0] : machines.join();
    if (node === undefined) return;
    this.#world.start(node);
    const { id, address } = node;
    this.#after(this.#dice.around(300), () => this.#ask({ op: 'add-learner', node: { id, address } }));
  }

  /** Sends a request to one node after the other until it is answered for good. */
  #ask(request: Request, tries = TRIES): void {
    const { timeline } = this.#world;
    this.#busyUntil = timeline.now + PATIENCE * MS;
    const node = this.#dice.pick(this.#sound);
    const timeout = this.#dice.pick([1_000, 4_000]);
    this.#world.ask(node, { ...request, timeout } as Request, outcome => {
      if (outcome.ok || !outcome.error.retry || tries === 1) return;
      this.#after(this.#dice.around(400), () => this.#ask(request, tries - 1));
    });
  }

  /** Turns off a machine that is no member, or loses one that may be. */
  #takeAway(deed: 'turn off' | 'lose' | 'wipe'): void {
    const world = this.#world;
    const node = this.#dice.pick(this.#sound);
    if (deed === 'turn off') {
      if (this.#configurations.some(({ nodes }) => Object.hasOwn(nodes, node.id))) return;
      world.turnOff(node);
      return;
    }
    // A change that was asked for before, and is in no log yet, may count on this machine.
    if (world.timeline.now < this.#busyUntil || !this.#canSpare(node)) return;
    if (deed === 'lose') world.turnOff(node);
    else if (this.#sound.every(other => other === node || other.hasMet(node))) world.wipe(node);
  }

  /** Every configuration that may come to count. */
  get #configurations(): readonly Configuration[] {
    return [this.#world.invariants.configuration, ...this.#world.invariants.openConfigurations];
  }

  #canSpare(node: SimNode): boolean {
    const left = new Set(this.#sound.filter(other => other !== node).map(({ id }) => id));
    const isMajority = (voters: readonly string[]) =>
      voters.filter(id => left.has(id)).length > voters.length / 2;
    return this.#configurations.every(
      ({ voters, old }) => isMajority(voters) && (old === undefined || isMajority(old)),
    );
  }
}
