import type { ChangeRequest, RequestOf } from '../wire/ops.ts';
import { failed, type Outcome } from '../wire/reply.ts';
import { conflict } from './conditions.ts';
import type { Store } from './store.ts';

/**
 * Carries out one change. The outcome and the store afterwards are functions of the store before and the
 * command alone, so replicas that apply the same commands in the same order stay equal.
 */
export function apply(store: Store, command: ChangeRequest): Outcome {
  switch (command.op) {
    case 'set':
      return set(store, command);
    case 'remove':
      return remove(store, command);
  }
}

function set(store: Store, command: RequestOf<'set'>): Outcome {
  const { key, value, prev } = command;
  const conflicting = conflict(store, command.if, key);
  if (conflicting) return failed(conflicting);
  const before = prev ? (store.get(key) ?? null) : undefined;
  const { mod } = store.put(key, value);
  const rev = store.commit();
  return before === undefined ? { ok: true, rev, mod } : { ok: true, rev, mod, prev: before };
}

function remove(store: Store, command: RequestOf<'remove'>): Outcome {
  const { key, prefix } = command;
  const conflicting = conflict(store, command.if, key);
  if (conflicting) return failed(conflicting);
  const keys = key === undefined ? keysWith(store, prefix ?? '') : [key];
  let removed = 0;
  for (const doomed of keys) if (store.delete(doomed)) removed += 1;
  const rev = removed > 0 ? store.commit() : store.rev;
  return { ok: true, rev, removed };
}

function keysWith(store: Store, prefix: string): string[] {
  const keys: string[] = [];
  for (const [key] of store.entries(prefix)) {
    if (!key.startsWith(prefix)) break;
    keys.push(key);
  }
  return keys;
}
