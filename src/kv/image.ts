import type { Outcome } from '../wire/reply.ts';
import { type KeyEvent, UNBOUNDED_HISTORY } from './history.ts';
import { type Entry, newEntry, Store } from './store.ts';

/**
 * A whole state as JSON values, each to stand on a line of its own, and each no larger than the request that brought
 * what it holds. It is made one by one, so that whoever writes it can stop between any two for others to have their
 * turn; give it a copy, then, that nobody changes meanwhile (a `Store` copies itself in O(1)).
 *
 * The first says what the others come to: `{rev, keys, hash, time, leases, sessions}`, the last two being the numbers
 * that were given last. Then each lease, `{lease: [id, ttl, deadline]}`, each session, `{session: [id, ttl, used,
 * floor]}`, each result that one remembers, `{result: [session, seq, high, low, outcome]}`, with the two halves of what
 * the change is told by, and each key: `[key, value, create, mod, version]`, and its lease if it has one.
 *
 * What watches may ask for comes last: `{history: rev}` with the revision before it, then for each revision
 * `{revision: rev}`, and for each of its events `{set: [key, …]}` or `{removed: key}`, followed by `{prev: […]}`.
 */
export function* imageOf(store: Store): Generator<unknown> {
  const { rev, time, hash, leases, sessions, history } = store;
  yield { rev, keys: store.size, hash, time, leases: leases.last, sessions: sessions.last };
  for (const { id, ttl, deadline } of leases.entries(0)) yield { lease: [id, ttl, deadline] };
  for (const { id, ttl, used, floor } of sessions.entries()) yield { session: [id, ttl, used, floor] };
  for (const { id, results } of sessions.entries()) {
    for (const { seq, fingerprint, outcome } of results)
      yield { result: [id, seq, fingerprint.high, fingerprint.low, outcome] };
  }
  for (const [key, entry] of store.entries('')) yield [key, ...listOf(entry)];
  yield { history: history.compacted };
  for (let at = history.compacted + 1; at <= history.last; at += 1) {
    yield { revision: at };
    for (const { key, entry, prev } of history.at(at) ?? []) {
      yield entry === undefined ? { removed: key } : { set: [key, ...listOf(entry)] };
      if (prev !== undefined) yield { prev: listOf(prev) };
    }
  }
}

function listOf({ value, create, mod, version, lease }: Entry): unknown[] {
  return lease === undefined ? [value, create, mod, version] : [value, create, mod, version, lease];
}

interface Head {
  readonly rev: number;
  readonly keys: number;
  readonly hash: string;
  readonly time: number;
  readonly leases: number;
  readonly sessions: number;
}

/** Builds a state from its image. Throws where the values are no image; what is wrong with one value shows at once. */
export class ImageReader {
  /** It keeps all of the history that it is given: how much that is to be, who takes it decides. */
  readonly #store = new Store(undefined, UNBOUNDED_HISTORY);
  #head: Head | undefined;
  /** The events of the revision that is being read. */
  #revision: KeyEvent[] | undefined;

  take(record: unknown): void {
    if (this.#head === undefined) this.#head = headOf(record);
    else if (Array.isArray(record)) this.#store.restore(...keyOf(record));
    else this.#takeField(record);
  }

  #takeField(record: unknown): void {
    const [[name, content] = []] = Object.entries(record ?? {});
    const { leases, sessions } = this.#store;
    switch (name) {
      case 'lease':
        leases.restore(...countsOf(content, 3));
        return;
      case 'session': {
        const [id, ttl, used, floor] = countsOf(content, 4);
        sessions.restore({ id, ttl, used, floor });
        return;
      }
      case 'result':
        this.#takeResult(content);
        return;
      case 'history':
        this.#store.history.begin(countOf(content));
        return;
      case 'revision':
        this.#beginRevision(countOf(content));
        return;
      default:
        this.#takeEvent(name, content);
    }
  }

  #takeResult(content: unknown): void {
    if (!Array.isArray(content) || content.length !== 5) throw new Error('this record is not a result');
    const [session, seq] = countsOf(content.slice(0, 2), 2);
    const [high, low, outcome] = content.slice(2) as [unknown, unknown, unknown];
    if (!Number.isInteger(high) || !Number.isInteger(low) || !isOutcome(outcome)) {
      throw new Error('this record is not a result');
    }
    const fingerprint = { high: high as number, low: low as number };
    this.#store.sessions.restoreResult(session, seq, { fingerprint, outcome });
  }

  #takeEvent(name: string | undefined, content: unknown): void {
    const last = this.#revision?.at(-1);
    if (name === 'set') {
      const [key, entry] = keyOf(content);
      this.#revision?.push({ key, entry, prev: undefined });
    } else if (name === 'removed' && typeof content === 'string') {
      this.#revision?.push({ key: content, entry: undefined, prev: undefined });
    } else if (name === 'prev' && Array.isArray(content) && last !== undefined) {
      const [, prev] = keyOf([last.key, ...content]);
      this.#revision?.splice(-1, 1, { ...last, prev });
    } else throw new Error('this record is no part of a state');
  }

  #beginRevision(rev: number): void {
    this.#endRevision();
    const { last } = this.#store.history;
    if (rev !== last + 1) throw new Error(`revision ${rev} follows ${last}`);
    this.#revision = [];
  }

  #endRevision(): void {
    if (this.#revision !== undefined) this.#store.history.add(this.#revision);
    this.#revision = undefined;
  }

  /** The state, once its last record was taken. */
  finish(): Store {
    if (this.#head === undefined) throw new Error('there is no record');
    const { rev, keys, hash, time, leases, sessions } = this.#head;
    this.#endRevision();
    this.#store.leases.restoreLast(leases);
    this.#store.sessions.restoreLast(sessions);
    this.#store.restoreRev(rev, time);
    const { history } = this.#store;
    if (this.#store.size !== keys) throw new Error(`it holds ${this.#store.size} keys, and should ${keys}`);
    if (this.#store.hash !== hash) throw new Error(`its hash is ${this.#store.hash}, and should be ${hash}`);
    if (history.last !== rev) throw new Error(`its history ends at ${history.last}, and should at ${rev}`);
    return this.#store;
  }
}

function headOf(record: unknown): Head {
  const { rev, keys, hash, time, leases, sessions } = (record ?? {}) as Record<string, unknown>;
  const counts = { rev, keys, time, leases, sessions };
  if (typeof hash !== 'string' || !Object.values(counts).every(isCount)) {
    throw new Error('this record does not tell the revision, and what the others come to');
  }
  return { ...(counts as Omit<Head, 'hash'>), hash };
}

function keyOf(content: unknown): [string, Entry] {
  const [key, value, create, mod, version, ...rest] = Array.isArray(content) ? (content as unknown[]) : [];
  const isKey = typeof key === 'string' && typeof value === 'string' && rest.length <= 1;
  if (!isKey || !isCount(create) || !isCount(mod) || !isCount(version)) {
    throw new Error('this record is not a key with its value and its revisions');
  }
  const lease = rest.length === 0 ? undefined : countOf(rest[0]);
  return [key, newEntry(value, create, mod, version, lease)];
}

/** So many counts, and nothing else. */
function countsOf<Length extends 2 | 3 | 4>(content: unknown, length: Length): Counts[Length] {
  if (!Array.isArray(content) || content.length !== length) throw new Error('this record is incomplete');
  return content.map(countOf) as unknown as Counts[Length];
}

interface Counts {
  2: [number, number];
  3: [number, number, number];
  4: [number, number, number, number];
}

function countOf(value: unknown): number {
  if (!isCount(value)) throw new Error('this record lacks a number');
  return value;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isOutcome(value: unknown): value is Outcome {
  return typeof value === 'object' && value !== null && 'ok' in value && typeof value.ok === 'boolean';
}
