import type { Random } from '../../shared/random.ts';
import { pause } from '../caller.ts';
import type { World } from '../world.ts';
import { type Fault, type Plan, some, type Way, waysBetween } from './fault.ts';

function cut(world: World, plan: Plan) {
  const links = world.cast(plan);
  world.cut(links);
  return () => world.mend(links);
}

/** Has the leader play the part of this node, half of the time: who is cut off while it leads knows no better. */
function cast(dice: Random, id: string): Plan {
  return dice.chance(0.5) ? { leaderAs: id } : {};
}

/** Does something to links time after time, until it is healed. */
function repeatedly(turn: (world: World, links: readonly Way[]) => Promise<void>): Fault['begin'] {
  return (world, { links = [] }) => {
    let isOver = false;
    const turns = (async () => {
      while (!isOver) await turn(world, links);
    })();
    return () => {
      isOver = true;
      return turns;
    };
  };
}

/** The ways between the nodes of one side and those of the other, in both directions. */
function split(dice: Random, ids: readonly string[]): Plan {
  const cutAt = dice.pick(ids);
  const side = ids.filter(id => id === cutAt || dice.chance(0.3));
  const isAcross = ([from, to]: Way) => side.includes(from) !== side.includes(to);
  return { links: waysBetween(ids).filter(isAcross), ...cast(dice, cutAt) };
}

export const networkFaults = {
  partition: {
    isBorne: true,
    about: 'two sides that do not reach each other',
    nodes: 2,
    draw: split,
    begin: cut,
  },
  deaf: {
    isBorne: true,
    about: 'a node that sends and hears nothing',
    nodes: 2,
    draw(dice, ids) {
      const id = dice.pick(ids);
      return { links: waysBetween(ids).filter(([, to]) => to === id), ...cast(dice, id) };
    },
    begin: cut,
  },
  mute: {
    isBorne: true,
    about: 'a node that hears and is not heard',
    nodes: 2,
    draw(dice, ids) {
      const id = dice.pick(ids);
      return { links: waysBetween(ids).filter(([from]) => from === id), ...cast(dice, id) };
    },
    begin: cut,
  },
  shatter: {
    about: 'no node reaches any other',
    nodes: 2,
    draw: (_dice, ids) => ({ links: waysBetween(ids) }),
    begin: cut,
  },
  mesh: {
    about: 'some links cut, each in its own direction',
    nodes: 2,
    draw: (dice, ids) => ({ links: some(dice, waysBetween(ids), 0.35) }),
    begin: cut,
  },
  stalls: {
    about: 'links that stand still for moments',
    nodes: 2,
    draw: (dice, ids) => ({ links: some(dice, waysBetween(ids), 0.5) }),
    begin: repeatedly(async (world, links) => {
      for (const link of links) {
        world.cut([link]);
        await pause(120);
        world.mend([link]);
      }
    }),
  },
  resets: {
    about: 'connections between nodes that break',
    nodes: 2,
    draw: (dice, ids) => ({ links: some(dice, waysBetween(ids), 0.5) }),
    begin: repeatedly(async (world, links) => {
      for (const [from, to] of links) {
        world.reset(from, to);
        await pause(60);
      }
    }),
  },
  'slow-links': {
    about: 'links that take their time, each its own',
    nodes: 2,
    draw: (dice, ids) => ({ links: some(dice, waysBetween(ids), 0.6), amount: 5 + dice.below(120) }),
    begin(world, { links = [], amount = 0 }) {
      for (const [at, [from, to]] of links.entries()) world.delayLink(from, to, amount * (1 + (at % 3)));
      return () => {
        for (const [from, to] of links) world.delayLink(from, to, 0);
      };
    },
  },
} satisfies Record<string, Fault>;
