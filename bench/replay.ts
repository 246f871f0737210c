import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openJournal } from '../src/node/journal-open.ts';
import type { Entry } from '../src/raft/entry.ts';
import { type Spread, spread } from './measure.ts';
import { keysOf, textOf } from './requests.ts';

/** Entries that are handed to the journal at a time. */
const BATCH = 1_000;
/** Characters of a value. */
const SIZE = 100;

/** How fast a node has its log back when it starts: read, checked and parsed. */
export interface ReplayMeasurement {
  readonly entries: number;
  readonly entriesPerSecond: Spread;
}

/** Writes a log of so many entries, and has a new process read it back, round after round. */
export async function measureReplay(
  directory: string,
  entries: number,
  rounds: number,
): Promise<ReplayMeasurement> {
  const path = join(directory, 'replay');
  await writeLog(path, entries);
  const script = fileURLToPath(new URL('replayer.js', import.meta.url));
  const rates = Array.from({ length: rounds }, () => {
    const { stdout, status } = spawnSync(process.execPath, [script, path], { encoding: 'utf8' });
    if (status !== 0) throw new Error('the log could not be read back');
    const read = JSON.parse(stdout) as { entries: number; took: number };
    if (read.entries !== entries) throw new Error(`${read.entries} of ${entries} entries came back`);
    return (read.entries * 1_000) / read.took;
  });
  return { entries, entriesPerSecond: spread(rates) };
}

async function writeLog(path: string, entries: number): Promise<void> {
  const keys = keysOf(SIZE);
  const value = textOf(SIZE);
  let mark = 0;
  let told: (() => void) | undefined;
  const { storage } = await openJournal(path, { node: 'n1' }, { onDurable: () => told?.() });
  for (let first = 1; first <= entries; first += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, entries - first + 1) }, (_, at): Entry => {
      const command = { op: 'set', key: keys[(first + at) % keys.length], value };
      return { index: first + at, term: 1, command, size: 2 * SIZE };
    });
    mark += 1;
    const durable = new Promise<void>(resolve => {
      told = resolve;
    });
    storage.write({
      mark,
      ballot: mark === 1 ? { term: 1, vote: null } : undefined,
      entries: batch,
      commit: first,
    });
    await durable;
  }
  await storage.close();
}
