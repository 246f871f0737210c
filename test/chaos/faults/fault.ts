import type { Random } from '../../shared/random.ts';
import type { World } from '../world.ts';

/** Whom a fault meets: a node by its id, or whoever leads when it comes. */
export type Target = string;
export const LEADER: Target = 'leader';

/** What the dice decide about a fault. */
export interface Plan {
  readonly on?: readonly Target[];
  readonly links?: readonly Way[];
  /** The node of these links whose part is played by whoever leads when it comes; that one plays the leader's. */
  readonly leaderAs?: string;
  /** Milliseconds, or a number that decides what else there is to decide. */
  readonly amount?: number;
}

/** A link, in one direction. */
export type Way = readonly [from: string, to: string];

/** Ends a fault; resolves when the cluster has again what it had before. */
export type Heal = () => Promise<void> | void;

export interface Fault {
  /** What happens, in a few words. */
  readonly about: string;
  readonly draw: (dice: Random, ids: readonly string[]) => Plan;
  /** Makes it happen; nothing is returned where it cannot, as with a node that is down already. */
  readonly begin: (world: World, plan: Plan) => Promise<Heal | undefined> | Heal | undefined;
  /** It leaves a majority that can serve, so service must be back while it lasts. */
  readonly isBorne?: boolean;
  /** The first stage, and the least number of nodes, that it needs. */
  readonly stage?: number;
  readonly nodes?: number;
}

/** The leader, half of the time, or any node. */
export function someone(dice: Random, ids: readonly string[]): Plan {
  return { on: [dice.chance(0.5) ? LEADER : dice.pick(ids)] };
}

export function theLeader(): Plan {
  return { on: [LEADER] };
}

export function everyone(_dice: Random, ids: readonly string[]): Plan {
  return { on: ids };
}

export const seedOf = (dice: Random) => dice.below(2 ** 32);

/** Every way between two different nodes. */
export function waysBetween(ids: readonly string[]): Way[] {
  return ids.flatMap(from => ids.filter(to => to !== from).map((to): Way => [from, to]));
}

/** Some of them, at least one. */
export function some<T>(dice: Random, all: readonly T[], share: number): T[] {
  const chosen = all.filter(() => dice.chance(share));
  return chosen.length > 0 ? chosen : [dice.pick(all)];
}
