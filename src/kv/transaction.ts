import { failure } from '../wire/errors.ts';
import type { RequestOf } from '../wire/ops.ts';
import { failed, type Outcome } from '../wire/reply.ts';
import { jsonBytesOf } from '../wire/text.ts';
import { conflict } from './conditions.ts';
import { PAGE_BYTES } from './queries.ts';
import { stepOf } from './steps.ts';
import type { Store } from './store.ts';

/**
 * Carries out a transaction: `then` where all conditions hold, else `else`, one operation after the other, each of
 * which sees what those before it did. All that they change is one revision. Where one of them fails (a condition of
 * its own, a lease that is not there) or their results do not fit a line, none has happened.
 */
export function transact(store: Store, request: RequestOf<'txn'>): Outcome {
  const succeeded = conflict(store, request.if, undefined) === undefined;
  const ops = succeeded ? request.then : (request.else ?? []);
  const results: object[] = [];
  let room = PAGE_BYTES;
  for (const [index, op] of ops.entries()) {
    const outcome = stepOf(store, op, room);
    if (!outcome.ok) {
      store.rollback();
      return failed({ ...outcome.error, index });
    }
    const { ok, rev, ...result } = outcome;
    room -= jsonBytesOf(result) + 1;
    if (room < 0) {
      store.rollback();
      return failed(tooLarge(index));
    }
    results.push(result);
  }
  const rev = store.hasChanged ? store.commit() : store.rev;
  return { ok: true, rev, succeeded, results };
}

function tooLarge(index: number) {
  const words = `with that of operation ${index} the results take more than ${PAGE_BYTES} bytes, and nothing was done`;
  return failure('TOO_LARGE', `${words}; ask for less in one txn`, { index, limit: PAGE_BYTES });
}
