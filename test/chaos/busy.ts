import { readFileSync } from 'node:fs';
import type { NodeProcess } from '../../lab/node-process.ts';

/** Milliseconds that each process has waited for a processor until now, by its id; nothing where no system tells. */
export type Waits = ReadonlyMap<number, number>;

/** How long the processes of these nodes have been ready to run, and could not, because the machine was busy. */
export function waitsOf(nodes: readonly NodeProcess[]): Waits {
  const waits = new Map<number, number>();
  for (const { pid } of nodes) {
    if (pid === undefined) continue;
    try {
      // The second number is nanoseconds spent waiting on a run queue.
      const [, waited] = readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ');
      waits.set(pid, Number(waited) / 1_000_000);
    } catch {
      // Not every system tells, and a process may be gone meanwhile.
    }
  }
  return waits;
}

/** Milliseconds that the process which waited longest did so between two looks. */
export function longestWait(before: Waits, after: Waits): number {
  return Math.max(0, ...[...after].map(([pid, waited]) => waited - (before.get(pid) ?? 0)));
}
