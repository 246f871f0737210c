import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Fault, some } from './fault.ts';

/** Stage 8: who the members are changes while everything else happens. Each episode ends with the first ones. */
export const memberFaults = {
  'change-members': {
    isBorne: true,
    about: 'other nodes are made the voters, by way of a joint configuration',
    stage: 8,
    nodes: 3,
    draw(dice, ids) {
      // An odd number of them, and three at least.
      const first = some(dice, ids, 0.6);
      const others = ids.filter(id => !first.includes(id));
      const mostVoters = (ids.length - 1) | 1;
      const voters = [...first, ...others].slice(0, Math.min(mostVoters, Math.max(3, first.length | 1)));
      return { on: voters };
    },
    begin(world, { on = [] }) {
      let isOver = false;
      const change = world.changeMembers(on, () => isOver);
      return async () => {
        isOver = true;
        await change;
      };
    },
  },
  replace: {
    about: 'a node is removed, loses its disk, and is added as a new one',
    stage: 8,
    nodes: 3,
    // The last ones were no founders: nothing on their command line would have them begin the cluster anew.
    draw: (_dice, ids) => ({ on: ids.slice(-1) }),
    async begin(world, { on = [] }) {
      const [id] = world.take(on);
      if (id === undefined) return undefined;
      const isRemoved = await world.removeMember(id);
      if (!isRemoved) {
        world.release(id);
        return undefined;
      }
      await world.node(id).kill();
      const path = world.disks.pathOf(id);
      for (const name of readdirSync(path)) rmSync(join(path, name), { recursive: true });
      return () => world.revive([id]);
    },
  },
} satisfies Record<string, Fault>;
