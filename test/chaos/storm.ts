import { pause } from './caller.ts';
import type { Heal } from './faults/fault.ts';
import { FAULTS } from './faults.ts';
import { describePlan, type Episode, type Planned } from './schedule.ts';
import type { Trial } from './trial.ts';
import type { World } from './world.ts';

/** How often a kind of fault was met, and how often it was planned where it could not be. */
export interface Met {
  begun: number;
  skipped: number;
}

/** Does to a cluster what the schedule says, and sees to it that service is back each time. */
export async function storm(
  world: World,
  trial: Trial,
  schedule: readonly Episode[],
  say: (line: string) => void,
): Promise<Readonly<Record<string, Met>>> {
  const met: Record<string, Met> = {};
  await world.settleMembers();
  for (const [at, { faults, quiet }] of schedule.entries()) {
    await world.look();
    const words = faults.map(describePlan).join(' + ');
    say(`${at + 1} of ${schedule.length}: ${words}`);
    // Of an odd number of nodes either side of a split, or all but one, are a majority.
    const isSafe = world.founders.length > 2 && world.founders.length % 2 === 1;
    const isBorne = isSafe && faults.length === 1 && faults.every(({ kind }) => FAULTS[kind].isBorne);
    trial.disturb();
    if (isBorne) trial.brace();
    await Promise.all(faults.map(fault => meet(world, fault, met)));
    if (isBorne) trial.bore(words);
    await trial.recover(words);
    await world.settleMembers();
    await pause(quiet);
  }
  return met;
}

async function meet(world: World, fault: Planned, met: Record<string, Met>): Promise<void> {
  const { kind, after, hold } = fault;
  const count = met[kind] ?? { begun: 0, skipped: 0 };
  met[kind] = count;
  await pause(after);
  // Faults before it may have brought another leader.
  await world.look();
  const heal = await (FAULTS[kind].begin(world, fault) as Promise<Heal | undefined>);
  if (heal === undefined) {
    count.skipped += 1;
    return;
  }
  count.begun += 1;
  await pause(hold);
  await heal();
}
