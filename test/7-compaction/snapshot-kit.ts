import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { apply } from '../../src/kv/commands.ts';
import { imageOf } from '../../src/kv/image.ts';
import { Store } from '../../src/kv/store.ts';
import type { SnapshotExtent } from '../../src/ports/storage.ts';
import type { Entry, Position } from '../../src/raft/entry.ts';
import type { ChangeRequest } from '../../src/wire/ops.ts';
import type { Bench } from '../4-log-replication/journal-kit.ts';
import { membersOf } from '../shared/model-disk.ts';

export const MEMBERS = membersOf(['n1', 'n2', 'n3']);

/** In tests that have two: the leader of term 2 came with entry 56. */
export function termOfEntry(index: number): number {
  return index <= 55 ? 1 : 2;
}

/** The state that the first so many entries make, each of which sets one of twenty keys. */
export function stateAt(index: number, term: (index: number) => number = () => 1): Store {
  const store = new Store();
  for (let at = 1; at <= index; at += 1) applyTo(store, keyed(at, term(at)));
  return store;
}

/** An entry that sets one of twenty keys. */
function keyed(index: number, term = 1): Entry {
  const command: ChangeRequest = { op: 'set', key: `/${index % 20}`, value: `${index} in ${term}` };
  return { index, term, command, size: 60 };
}

export function keyedEntries(from: number, to: number, term = 1): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, at) => keyed(from + at, term));
}

function applyTo(store: Store, { command }: Entry): void {
  apply(store, command as ChangeRequest);
}

/** Writes a snapshot of the state at an index, keeping a tail of so many entries; undefined when it was not written. */
export function writeSnapshot(
  { storage }: Bench,
  { index, term }: Position,
  tail = 2,
  termOf: (index: number) => number = () => 1,
): Promise<SnapshotExtent | undefined> {
  const base = { index: Math.max(0, index - tail), term };
  const head = { index, term, configuration: MEMBERS, base };
  return new Promise(resolve => storage.snapshots.write(head, imageOf(stateAt(index, termOf)), resolve));
}

/** What a node does when it has written a snapshot: the log begins behind it, save for a tail. */
export async function compact(
  bench: Bench,
  position: Position,
  tail = 2,
  termOf: (index: number) => number = () => 1,
): Promise<void> {
  const extent = await writeSnapshot(bench, position, tail, termOf);
  if (extent === undefined) return;
  const { storage } = bench;
  storage.snapshots.promote(extent, true);
  storage.compact(
    { index: Math.max(0, position.index - tail), term: position.term },
    storage.snapshots.keepsFrom,
  );
  storage.snapshots.prune([]);
}

/** The state that a node has once it has applied all that it found to be committed. */
export function stateOf({ opened }: Bench): Store {
  const { state, recovered } = opened;
  const store = new Store(state);
  const { commit, entries, snapshot } = recovered;
  for (const next of entries) {
    if (next.index > (snapshot?.index ?? 0) && next.index <= commit) applyTo(store, next);
  }
  return store;
}

/** The names of the files among the snapshots of a data directory. */
export function snapshotsIn(path: string): string[] {
  return readdirSync(join(path, 'snapshots')).sort();
}

/** Flips a bit of a file. */
export function flip(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes[offset] = (bytes[offset] ?? 0) ^ 0x04;
  writeFileSync(path, bytes);
}
