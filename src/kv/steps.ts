import { type Failure, failure } from '../wire/errors.ts';
import type { KeyOp } from '../wire/key-ops.ts';
import { failed, type Outcome } from '../wire/reply.ts';
import { conflict } from './conditions.ts';
import { get, list } from './queries.ts';
import type { Store } from './store.ts';

/**
 * Carries out one operation on keys as a part of the change under way, which whoever began it commits or takes back.
 * An operation that fails has done nothing. `room` is what a page of `list` may take.
 */
export function stepOf(store: Store, op: KeyOp, room?: number): Outcome {
  switch (op.op) {
    case 'get':
      return get(store, op.key);
    case 'list':
      return list(store, op, room);
    case 'set':
      return set(store, op);
    case 'remove':
      return remove(store, op);
  }
}

function set(store: Store, op: Extract<KeyOp, { op: 'set' }>): Outcome {
  const { key, value, lease, prev } = op;
  const conflicting = conflict(store, op.if, key);
  if (conflicting) return failed(conflicting);
  if (lease !== undefined && store.leases.get(lease) === undefined) return failed(leaseNotFound(lease));
  const before = prev ? (store.get(key) ?? null) : undefined;
  const { mod } = store.put(key, value, lease);
  return before === undefined ? { ok: true, rev: mod, mod } : { ok: true, rev: mod, mod, prev: before };
}

function remove(store: Store, op: Extract<KeyOp, { op: 'remove' }>): Outcome {
  const { key, prefix } = op;
  const conflicting = conflict(store, op.if, key);
  if (conflicting) return failed(conflicting);
  const keys = key === undefined ? keysWith(store, prefix ?? '') : [key];
  let removed = 0;
  for (const doomed of keys) if (store.delete(doomed)) removed += 1;
  return { ok: true, rev: removed > 0 ? store.next : store.rev, removed };
}

function keysWith(store: Store, prefix: string): string[] {
  const keys: string[] = [];
  for (const [key] of store.entries(prefix)) {
    if (!key.startsWith(prefix)) break;
    keys.push(key);
  }
  return keys;
}

export function leaseNotFound(lease: number): Failure {
  const words = `there is no lease ${lease}: it has ended, or was never granted; ask for another with op grant`;
  return failure('LEASE_NOT_FOUND', words, { lease });
}
