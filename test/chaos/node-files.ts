import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TraceEvent } from './disk-orders.ts';

/** The file that a node's log grows in. */
export function lastSegment(data: string): string {
  const log = join(data, 'log');
  const names = readdirSync(log).filter(name => name.endsWith('.ndjson'));
  return join(log, names.sort().at(-1) ?? '');
}

/** The file that keeps a node's term and vote. */
export function ballotFile(data: string): string {
  return join(data, 'vote.ndjson');
}

/** The newest snapshot of a node, if there is one. */
export function lastSnapshot(data: string): string | undefined {
  const snapshots = join(data, 'snapshots');
  if (!existsSync(snapshots)) return undefined;
  const names = readdirSync(snapshots).filter(name => /^\d+-\d+\.ndjson$/.test(name));
  const last = names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).at(-1);
  return last === undefined ? undefined : join(snapshots, last);
}

/** What a traced node did, in order. */
export function readTrace(path: string): TraceEvent[] {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.map(line => JSON.parse(line) as TraceEvent);
}
