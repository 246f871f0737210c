import { appendFileSync, copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { encodeRecord } from '../../../src/node/record.ts';
import { Random } from '../../shared/random.ts';
import { ballotFile, lastSegment, lastSnapshot } from '../node-files.ts';
import { type Fault, seedOf } from './fault.ts';

/** Flips one bit in the first half of a text, where no torn write can explain it. */
function flip(bytes: Buffer, dice: Random): number {
  const at = dice.below(Math.floor(bytes.length / 2));
  bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.below(8));
  return at;
}

const drawFile: Fault['draw'] = (dice, ids) => ({ on: [dice.pick(ids)], amount: seedOf(dice) });

/** What happens to the files of one node while it is down. */
export const fileFaults = {
  'torn-tail': {
    isBorne: true,
    about: 'a last record written in part: dropped with a warning',
    draw: drawFile,
    async begin(world, { on = [], amount = 0 }) {
      const [id] = world.take(on);
      if (id === undefined) return undefined;
      await world.node(id).kill();
      const dice = new Random(amount);
      const path = lastSegment(world.disks.pathOf(id));
      // Longer than the shortest record, or a torn one before it would end in a whole one.
      const record = encodeRecord([1, 1, { op: 'set', key: '/torn', value: 'x'.repeat(dice.below(200)) }]);
      const isWhole = readFileSync(path, 'utf8').endsWith('\n') || readFileSync(path).length === 0;
      if (isWhole) appendFileSync(path, record.slice(0, 1 + dice.below(record.length - 1)));
      return async () => {
        await world.revive([id]);
        world.check(
          'a torn record is dropped with a warning',
          world.hasSaid(id, 'a write was interrupted'),
          `${id} did not mention the torn record in ${path}`,
        );
      };
    },
  },
  'flipped-bit': {
    isBorne: true,
    about: 'a bit flipped in the log, or in the ballot: refused, until the file is put back',
    draw: drawFile,
    async begin(world, { on = [], amount = 0 }) {
      const [id] = world.take(on);
      if (id === undefined) return undefined;
      await world.node(id).kill();
      const dice = new Random(amount);
      const isBallot = dice.chance(0.3);
      const path = (isBallot ? ballotFile : lastSegment)(world.disks.pathOf(id));
      const bytes = readFileSync(path);
      const copy = `${path}.sound`;
      if (bytes.length > (isBallot ? 0 : 1_000)) {
        copyFileSync(path, copy);
        const at = flip(bytes, dice);
        writeFileSync(path, bytes);
        await world.refusesToStart(
          id,
          new RegExp(`${path} is damaged at byte \\d+`),
          `a bit flipped at byte ${at}`,
        );
        world.check(
          'a damaged file is left as it is',
          readFileSync(path).equals(bytes),
          `${id} has changed the damaged ${path}`,
        );
        renameSync(copy, path);
      }
      return () => world.revive([id]);
    },
  },
  'flipped-snapshot': {
    isBorne: true,
    about: 'a bit flipped in the newest snapshot: told, and the one before it serves',
    stage: 7,
    draw: drawFile,
    async begin(world, { on = [], amount = 0 }) {
      const [id] = world.take(on);
      if (id === undefined) return undefined;
      await world.node(id).kill();
      const path = lastSnapshot(world.disks.pathOf(id));
      if (path !== undefined) {
        const bytes = readFileSync(path);
        const copy = `${path}.sound`;
        copyFileSync(path, copy);
        flip(bytes, new Random(amount));
        writeFileSync(path, bytes);
        await world.startsOrRefuses(id, path);
        // Where the other snapshot was damaged before, nothing can take the place of this one.
        if (world.node(id).state === 'running') {
          rmSync(copy);
          world.release(id);
          return () => {};
        }
        renameSync(copy, path);
      }
      return () => world.revive([id]);
    },
  },
} satisfies Record<string, Fault>;
