import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { table } from '../../lab/table.ts';
import { FAULTS, type FaultKind } from './faults.ts';
import type { Result } from './run.ts';
import type { Met } from './storm.ts';
import type { Verdict } from './verdicts.ts';

const seconds = (milliseconds: number) => `${(milliseconds / 1_000).toFixed(1)} s`;

/** A run on one page; the flags are those with which it can be had again. */
export function reportOf(result: Result, flags = ''): string {
  const { title, seed, nodes, milliseconds, faults, outcomes, notes, verdicts } = result;
  const parts = [
    [`chaos: ${title}, ${nodes} nodes, seed ${seed}, ${seconds(milliseconds)}`, ...notes].join('\n'),
    ...(faults === undefined ? [] : [table(['fault', 'met', 'skipped', ''], faultRows(faults))]),
    ...(outcomes === undefined ? [] : [table(['operation', ''], outcomeRows(outcomes))]),
    ...serviceOf(result),
    table(['check', 'times', 'failed'], verdicts.all.map(checkRow)),
    ...verdicts.all.flatMap(({ name, failures }) => failures.map(words => `FAILED ${name}: ${words}`)),
    verdicts.isSound ? 'nothing was violated' : howToLook(result, flags),
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

function howToLook({ folder }: Result, flags: string): string {
  const words = [`The data of the nodes is in ${folder}, below it a folder for each`];
  if (existsSync(join(folder, 'history.ndjson'))) {
    words.push(
      'Look at a node with',
      `  npx raftline log --data ${folder}/n1`,
      `and, if it said anything, at that in ${folder}/n1.log. What the clients saw is in history.ndjson,`,
      'an operation a line; the revisions that anybody was shown are in revisions.ndjson, and what each watcher',
      'was told in w1.ndjson and so on; of one key:',
      `  jq -c 'select(.key == "/contended/0/0")' ${folder}/history.ndjson`,
    );
  }
  if (flags !== '') words.push(`The same again: npm run chaos -- ${flags}`);
  return words.join('\n');
}
