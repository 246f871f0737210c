import { failure } from '../wire/errors.ts';
import { LIMITS } from '../wire/limits.ts';
import type { ReadRequest, RequestOf } from '../wire/ops.ts';
import { afterPrefix, byCodePoint } from '../wire/order.ts';
import { failed, type Outcome } from '../wire/reply.ts';
import { jsonBytes } from '../wire/text.ts';
import type { Entry, Store } from './store.ts';

const ABSENT = { value: null, create: 0, mod: 0, version: 0 };

/** Bytes that a page of `list` may take, so that `id`, `rev`, `next` and the brackets around have room in its line. */
export const PAGE_BYTES = LIMITS.line - 16_384;

/** What an item with its value takes beside key and value: the names of its fields, and numbers at their longest. */
const ENTRY_BYTES = 128;
/** What a lease takes in a page of `leases` at most. */
const LEASE_BYTES = 128;

/** Answers a read from the store as it is. */
export function answer(store: Store, query: ReadRequest): Outcome {
  switch (query.op) {
    case 'get':
      return get(store, query.key);
    case 'list':
      return list(store, query);
    case 'leases':
      return leases(store, query);
  }
}

/**
 * Answers a read before stage 5, where a node can only tell what it holds itself, and says that it is no more than
 * that.
 */
export function answerLocally(store: Store, query: ReadRequest): Outcome {
  if (query.read === 'linearizable') {
    const words = 'linearizable reads come with stage 5; this node can only tell what it holds itself';
    return failed(failure('WRONG_STAGE', words, { stage: 5 }));
  }
  const outcome = answer(store, query);
  return outcome.ok ? { ...outcome, local: true } : outcome;
}

export function get(store: Store, key: string): Outcome {
  const entry = store.get(key);
  const { value, create, mod, version } = entry ?? ABSENT;
  const { rev } = store;
  if (entry?.lease === undefined) return { ok: true, rev, key, value, create, mod, version };
  return { ok: true, rev, key, value, create, mod, version, lease: entry.lease };
}

/** A page of at most `room` bytes, save that it holds one item where there is any. */
export function list(store: Store, query: RequestOf<'list'>, room = PAGE_BYTES): Outcome {
  const { limit = LIMITS.listDefault, values = false } = query;
  const items: unknown[] = [];
  let next: string | null = null;
  let last = '';
  let left = room;
  for (const [name, entry] of names(store, query)) {
    const item = values ? { key: name, ...(entry ?? ABSENT) } : name;
    left -= jsonBytes(name) + 1 + (values ? ENTRY_BYTES + jsonBytes(entry?.value ?? '') : 0);
    // A page holds one item at least, or the next page could never begin behind it.
    if (items.length === limit || (left < 0 && items.length > 0)) {
      next = last;
      break;
    }
    items.push(item);
    last = name;
  }
  return { ok: true, rev: store.rev, [values ? 'entries' : 'keys']: items, next };
}

function leases(store: Store, { from = 0, limit = LIMITS.listDefault }: RequestOf<'leases'>): Outcome {
  const items: unknown[] = [];
  let next: number | null = null;
  for (const { id, ttl, deadline, keys } of store.leases.entries(from)) {
    if (items.length === limit || items.length * LEASE_BYTES > PAGE_BYTES) {
      next = id;
      break;
    }
    const left = Math.max(0, Math.ceil((deadline - store.time) / 1_000));
    items.push({ lease: id, ttl, left, keys });
  }
  return { ok: true, rev: store.rev, leases: items, next };
}

/**
 * The names that `list` shows, in order: keys no deeper than `depth` levels below the prefix, and for each
 * deeper subtree its directory, once, with the entry of a key that is spelled just so, if there is one.
 */
function* names(store: Store, query: RequestOf<'list'>): Generator<[string, Entry | undefined]> {
  const { prefix = '', depth, after = '' } = query;
  let from: string | undefined = byCodePoint(prefix, after) < 0 ? after : prefix;
  while (from !== undefined) {
    let skipTo: string | undefined;
    for (const [key, entry] of store.entries(from)) {
      if (!key.startsWith(prefix)) return;
      const directory: string | undefined = depth === undefined ? undefined : directoryOf(key, prefix, depth);
      const name: string = directory ?? key;
      // Strictly after `after`; the empty string is before every key.
      if (byCodePoint(name, after) > 0) yield [name, directory === undefined ? entry : store.get(directory)];
      if (directory !== undefined) {
        skipTo = afterPrefix(directory);
        break;
      }
    }
    from = skipTo;
  }
}

/** The directory, ending in `/`, that stands for a key more than `depth` levels below the prefix. */
function directoryOf(key: string, prefix: string, depth: number): string | undefined {
  let at = prefix.length;
  // Below `/app` the first level of `/app/db` is `db`: the slash between belongs to neither.
  if (key[at] === '/' && !prefix.endsWith('/')) at += 1;
  for (let level = 0; level < depth; level += 1) {
    at = key.indexOf('/', at) + 1;
    if (at === 0) return undefined;
  }
  return key.slice(0, at);
}
