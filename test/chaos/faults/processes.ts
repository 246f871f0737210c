import { Random } from '../../shared/random.ts';
import { pause } from '../caller.ts';
import { isSane } from '../checks.ts';
import type { World } from '../world.ts';
import { everyone, type Fault, type Plan, seedOf, someone, theLeader } from './fault.ts';

/** Milliseconds that a snapshot may take before it is not waited for any more. */
const SNAPSHOT = 15_000;

/** Kills nodes, and starts them again. */
async function kill(world: World, { on = [] }: Plan) {
  const ids = world.take(on);
  await Promise.all(ids.map(id => world.node(id).kill()));
  return ids.length === 0 ? undefined : () => world.revive(ids);
}

/** As the power would: of what was not synced a part is left, or nothing; the slower a disk, the more that is. */
async function cutPower(world: World, { on = [], amount = 0 }: Plan) {
  const ids = world.take(on);
  const dice = new Random(amount);
  const isAllLost = dice.chance(0.5);
  if (dice.chance(0.7)) {
    const delay = 20 + dice.below(200);
    await Promise.all(ids.map(id => world.disks.order(id, { delay })));
    await pause(dice.below(500));
  }
  await Promise.all(ids.map((id, at) => world.cutPower(id, amount + at, isAllLost)));
  return ids.length === 0 ? undefined : () => world.revive(ids);
}

function withSeed(draw: Fault['draw']): Fault['draw'] {
  return (dice: Random, ids) => ({ ...draw(dice, ids), amount: seedOf(dice) });
}

export const processFaults = {
  kill: { isBorne: true, about: 'kill -9 of a node', draw: someone, begin: kill },
  'kill-all': { about: 'kill -9 of all at once', draw: everyone, begin: kill },
  'power-cut': {
    isBorne: true,
    about: 'power lost at a node, with what was not synced',
    draw: withSeed(someone),
    begin: cutPower,
  },
  'power-cut-all': {
    about: 'power lost everywhere, with what was not synced',
    draw: withSeed(everyone),
    begin: cutPower,
  },
  'pause-leader': {
    isBorne: true,
    about: 'the leader stands still (SIGSTOP) across an election',
    nodes: 2,
    draw: theLeader,
    async begin(world, { on = [] }) {
      const [id] = world.take(on);
      if (id === undefined) return undefined;
      world.node(id).pause();
      return async () => {
        await world.untilAnotherLeads(id, 3_000);
        world.release(id);
        world.node(id).resume();
      };
    },
  },
  'pause-shortly': {
    about: 'a node stands still again and again, for less than an election takes',
    draw: someone,
    async begin(world, { on = [] }) {
      const [id] = world.take(on);
      if (id === undefined) return undefined;
      const node = world.node(id);
      let isOver = false;
      const stutter = (async () => {
        while (!isOver) {
          node.pause();
          await pause(200);
          node.resume();
          await pause(100);
        }
      })();
      return async () => {
        isOver = true;
        await stutter;
        world.release(id);
      };
    },
  },
  'rolling-restart': {
    isBorne: true,
    about: 'every node is stopped (SIGTERM) and started again, one after the other',
    draw: everyone,
    begin(world, { on = [] }) {
      const restarts = (async () => {
        for (const target of on) {
          const [id] = world.take([target]);
          if (id === undefined) continue;
          await world.stopCleanly(id);
          await world.revive([id]);
        }
      })();
      return () => restarts;
    },
  },
  transfer: {
    isBorne: true,
    about: 'leadership is handed over, again and again',
    nodes: 2,
    draw: everyone,
    begin(world, { on = [] }) {
      let isOver = false;
      const transfers = (async () => {
        for (const to of [...on, ...on]) {
          if (isOver) break;
          await world.ask(on[0] ?? '', { op: 'transfer-leader', to, timeout: 1_000 });
          await pause(150);
        }
      })();
      return () => {
        isOver = true;
        return transfers;
      };
    },
  },
  compact: {
    isBorne: true,
    about: 'nodes are told to take a snapshot, one after the other',
    stage: 7,
    draw: everyone,
    begin(world, { on = [] }) {
      const snapshots = (async () => {
        for (const id of on) {
          const answer = await world.ask(id, { op: 'snapshot', timeout: SNAPSHOT }, SNAPSHOT);
          // Where the disk is full, or the machine busy, nobody promises a snapshot.
          const isRight = answer === undefined || answer.ok || isSane(answer.error?.code);
          world.check(
            'a snapshot is taken, or refused in words',
            isRight,
            `${id}: ${JSON.stringify(answer)}`,
          );
        }
      })();
      return () => snapshots;
    },
  },
} satisfies Record<string, Fault>;
