import type { Reply } from '../shared/line-client.ts';
import { checkLinearizable } from '../shared/linearizability.ts';
import { INSERTED } from './clients.ts';
import type { History, Sight } from './history.ts';
import type { Verdicts } from './verdicts.ts';
import { GARBLED, type Line } from './wire.ts';

/** What a watcher was told: at each revision, of each key. */
export interface Watched {
  readonly name: string;
  readonly told: ReadonlyMap<number, ReadonlyMap<string, { readonly type: string; readonly value: unknown }>>;
  /** The revision before the first, and the last. */
  readonly range: readonly [after: number, last: number];
}

/** Steps that the search for an order may take on each key; beyond them it is undecided, which fails. */
const MOST_STEPS = 3_000_000;

/** Codes that say that a node is at fault, or that it took a sound request for a bad one. */
const FAULTS = ['INTERNAL', 'BAD_JSON', 'BAD_ENCODING', 'BAD_REQUEST', 'UNKNOWN_OP', 'no code', GARBLED];

/** Whether an error is one that a node which is not at fault may answer a sound request with. */
export function isSane(code: string | undefined): boolean {
  return code !== undefined && !FAULTS.includes(code);
}

/** Whether every refusal was one that the faults around a node explain. */
export function checkOutcomes({ outcomes }: History, verdicts: Verdicts): void {
  for (const [name, count] of Object.entries(outcomes)) {
    const code = name.slice(name.indexOf(' ') + 1);
    verdicts.check('no node answers that it is at fault', isSane(code), `${name}, ${count} times`);
  }
}

/** Whether the operations on each key can have happened one after the other. */
export function checkHistory(history: History, verdicts: Verdicts): void {
  const keys = new Map<string, typeof history.operations>();
  for (const operation of history.operations) {
    const same = keys.get(operation.key);
    if (same === undefined) keys.set(operation.key, [operation]);
    else same.push(operation);
  }
  for (const operations of keys.values()) {
    const verdict = checkLinearizable(operations, { steps: MOST_STEPS });
    verdicts.check(
      'the history of each key is linearizable',
      verdict.ok,
      verdict.ok ? '' : verdict.explanation,
    );
  }
}

/**
 * Whether what was acknowledged first has the lower revision, over all keys: no change has the revision of another,
 * or one below what anybody had been shown when it was begun, and no read shows less than that.
 */
export function checkRevisions(history: History, verdicts: Verdicts): void {
  const byReturn = [...history.sights].sort((a, b) => a.returned - b.returned);
  const seen = new Map<number, Sight>();
  let at = 0;
  let highest: Sight | undefined;
  for (const sight of [...history.sights].sort((a, b) => a.invoked - b.invoked)) {
    for (let next = byReturn[at]; next !== undefined && next.returned < sight.invoked; next = byReturn[at]) {
      if (next.rev > (highest?.rev ?? 0)) highest = next;
      at += 1;
    }
    const floor = highest?.rev ?? 0;
    const isInOrder = sight.kind === 'change' ? sight.rev > floor : sight.rev >= floor;
    const words = `${sight.what}: revision ${sight.rev} after ${floor} (${highest?.what})`;
    verdicts.check('revisions grow in real time', isInOrder, words);
    if (sight.kind === 'read') continue;
    const twin = seen.get(sight.rev);
    const both = `${sight.what} and ${twin?.what} both have revision ${sight.rev}`;
    verdicts.check('every change has a revision of its own', twin === undefined, both);
    seen.set(sight.rev, sight);
  }
}

/** Whether a watcher was told of everything that was acknowledged while it watched, and of nothing that was refused. */
export function checkTold(history: History, verdicts: Verdicts, watcher: Watched): void {
  const { name, told, range } = watcher;
  const [after, last] = range;
  const expect = (key: string, value: string, mod: number) => {
    if (mod <= after || mod > last) return;
    const found = told.get(mod)?.get(key);
    const words = `${name} was told ${JSON.stringify(found ?? null)} of ${key} at ${mod}`;
    const isTold = found?.type === 'set' && found.value === value;
    verdicts.check('a watch tells of every acknowledged change', isTold, words);
  };
  for (const { key, action, result } of history.operations) {
    if (action.op === 'set' && result.kind === 'ok') expect(key, action.value, result.mod ?? 0);
  }
  const refused = new Set<string>();
  for (const { key, value, outcome, mod } of history.insertions) {
    if (outcome === 'done') expect(key, value, mod);
    else if (outcome === 'failed') refused.add(key);
  }
  for (const [rev, changes] of told) {
    const stranger = [...changes.keys()].find(key => refused.has(key));
    const words = `${name} was told of ${stranger} at ${rev}, which was refused`;
    verdicts.check('a watch tells of nothing that was refused', stranger === undefined, words);
  }
}

/** Whether two watchers were told the same of what both have seen. */
export function checkAgreement(a: Watched, b: Watched, verdicts: Verdicts): void {
  for (const [rev, changes] of a.told) {
    const others = b.told.get(rev);
    if (others === undefined) continue;
    const [mine, theirs] = [changes, others].map(each => JSON.stringify([...each]));
    const words = `at ${rev} ${a.name} was told ${mine}, and ${b.name} ${theirs}`;
    verdicts.check('watches at different nodes tell the same', mine === theirs, words);
  }
}

/** Whether a node has everything acknowledged, as it was acknowledged, and nothing that was refused. */
export async function checkInsertions(
  history: History,
  verdicts: Verdicts,
  node: string,
  ask: (request: Line) => Promise<Reply | undefined>,
): Promise<void> {
  const found = new Map<string, { value: string; mod: number; version: number }>();
  for (let after: string | null = ''; after !== null; ) {
    const page = await ask({
      op: 'list',
      prefix: INSERTED,
      values: true,
      limit: 10_000,
      ...(after === '' ? {} : { after }),
    });
    const isRead = verdicts.check(
      'the store can be read at the end',
      page?.ok === true,
      `${node}: ${JSON.stringify(page)}`,
    );
    if (!isRead || page === undefined) return;
    for (const entry of page.entries) found.set(entry.key, entry);
    after = page.next as string | null;
  }
  for (const { key, value, outcome, mod } of history.insertions) {
    const entry = found.get(key);
    if (outcome === 'done') {
      const isThere = entry?.value === value && entry.mod === mod && entry.version === 1;
      const words = `${key} was acknowledged at ${mod}, and is ${JSON.stringify(entry ?? null)} at ${node}`;
      verdicts.check('every acknowledged change is present', isThere, words);
    } else if (outcome === 'failed') {
      verdicts.check(
        'nothing refused for certain is present',
        entry === undefined,
        `${key} is there, of revision ${entry?.mod}, at ${node}`,
      );
    }
    found.delete(key);
  }
  const [stranger] = found.keys();
  verdicts.check('nothing is there that nobody wrote', stranger === undefined, `${stranger} at ${node}`);
}
