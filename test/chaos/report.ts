import { table } from '../../lab/table.ts';
import { FAULTS, type FaultKind } from './faults.ts';
import type { Result } from './run.ts';
import type { Met } from './storm.ts';
import type { Verdict } from './verdicts.ts';

const seconds = (milliseconds: number) => `${(milliseconds / 1_000).toFixed(1)} s`;

/** A run on one page. */
export function reportOf(result: Result): string {
  const { title, seed, nodes, milliseconds, faults, outcomes, notes, verdicts } = result;
  const parts = [
    [`chaos: ${title}, ${nodes} nodes, seed ${seed}, ${seconds(milliseconds)}`, ...notes].join('\n'),
    ...(faults === undefined ? [] : [table(['fault', 'met', 'skipped', ''], faultRows(faults))]),
    ...(outcomes === undefined ? [] : [table(['operation', ''], outcomeRows(outcomes))]),
    ...serviceOf(result),
    table(['check', 'times', 'failed'], verdicts.all.map(checkRow)),
    ...verdicts.all.flatMap(({ name, failures }) => failures.map(words => `FAILED ${name}: ${words}`)),
    verdicts.isSound ? 'nothing was violated' : howToLook(result),
  ];
  return parts.join('\n\n');
}

function faultRows(faults: Readonly<Record<string, Met>>): string[][] {
  const names = Object.keys(faults).sort() as FaultKind[];
  return names.map(name => {
    const { begun, skipped } = faults[name] as Met;
    return [name, String(begun), skipped === 0 ? '' : String(skipped), FAULTS[name].about];
  });
}

/** One row for each operation: what came of it, and how often. */
function outcomeRows(outcomes: Readonly<Record<string, number>>): string[][] {
  const rows = new Map<string, string[]>();
  for (const [name, count] of Object.entries(outcomes)) {
    const [op = '', outcome] = name.split(' ');
    rows.set(op, [...(rows.get(op) ?? []), `${outcome} ${count}`]);
  }
  return [...rows].map(([op, counts]) => [op, counts.join(', ')]);
}

function serviceOf({ recoveries, longestWithout }: Result): string[] {
  if (recoveries === undefined || longestWithout === undefined) return [];
  const slowest = recoveries.length === 0 ? '-' : seconds(Math.max(...recoveries));
  const longest = `longest time without, faults included, ${seconds(longestWithout)}`;
  return [`service: back at the latest ${slowest} after a healing; ${longest}`];
}

function checkRow({ name, times, failures }: Verdict): string[] {
  return [name, String(times), failures.length === 0 ? '' : 'FAILED'];
}

function howToLook({ seed, nodes, folder, schedule }: Result): string {
  const words = [
    `The data of the nodes is in ${folder}; look at a node's with`,
    `  npx raftline log --data ${folder}/n1`,
  ];
  if (schedule !== undefined) {
    words.push(
      `The same schedule again: npm run chaos -- --seed ${seed} --nodes ${nodes}, with the same --minutes`,
      `What the clients saw is in ${folder}/history.ndjson, an operation a line; of one key:`,
      `  jq -c 'select(.key == "/contended/0/0")' ${folder}/history.ndjson`,
    );
  }
  return words.join('\n');
}
