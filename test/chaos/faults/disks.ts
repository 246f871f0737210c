import type { Fault } from './fault.ts';
import { everyone, LEADER, someone } from './fault.ts';

const slowSync: Fault['begin'] = async (world, { on = [], amount = 0 }) => {
  const ids = world.take(on);
  await Promise.all(ids.map(id => world.disks.order(id, { delay: amount })));
  if (ids.length === 0) return undefined;
  return async () => {
    await Promise.all(ids.map(id => world.disks.order(id, {})));
    for (const id of ids) world.release(id);
  };
};

export const diskFaults = {
  'slow-sync': {
    isBorne: true,
    about: 'a disk on which every fsync takes long',
    draw: (dice, ids) => ({ ...someone(dice, ids), amount: 30 + dice.below(400) }),
    begin: slowSync,
  },
  'slow-sync-all': {
    about: 'every fsync takes long, everywhere',
    draw: (dice, ids) => ({ ...everyone(dice, ids), amount: 10 + dice.below(100) }),
    begin: slowSync,
  },
  'failing-sync': {
    isBorne: true,
    about: 'a disk on which fsync fails: the node has to end',
    draw: someone,
    async begin(world, { on = [] }) {
      const [id] = world.take(on);
      if (id === undefined) return undefined;
      world.mayEnd(id);
      await world.disks.order(id, { failing: true });
      return async () => {
        await world.hasEndedOfItself(id);
        await world.revive([id]);
      };
    },
  },
  'full-disk': {
    isBorne: true,
    about: 'a disk without room',
    // The first node's disk is the small one, where there is one.
    draw: (dice, ids) => ({ on: [dice.chance(0.5) ? LEADER : (ids[0] ?? '')] }),
    async begin(world, { on = [] }) {
      const [id] = world.take(on);
      if (id === undefined) return undefined;
      const empty = await world.disks.fill(id);
      return async () => {
        await empty();
        world.release(id);
      };
    },
  },
} satisfies Record<string, Fault>;
