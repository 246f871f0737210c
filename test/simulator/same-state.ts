import { isDeepStrictEqual } from 'node:util';
import type { Ledger } from './ledger.ts';
import { ABSENT } from './model.ts';
import type { SimNode } from './sim-node.ts';
import { violated } from './violation.ts';

/** Whether a node that has applied everything holds what the model does: keys, leases and sessions. */
export function checkState({ id, replica }: SimNode, { model, last }: Ledger): void {
  if (replica === undefined || replica.core.state.handed !== last) return;
  const { store } = replica;
  const expect = (what: string, found: unknown, expected: unknown) => {
    if (isDeepStrictEqual(found, expected)) return;
    const words = `${what} at ${id}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`;
    violated('the applied state is a function of the log alone', words);
  };
  expect('revision and time', [store.rev, store.time], [model.rev, model.time]);
  const keys = [...store.entries('')];
  expect(
    'the keys',
    keys.map(([key]) => key),
    model.keys(''),
  );
  for (const [key, entry] of keys) expect(key, { ...ABSENT, ...entry }, model.at(key));
  const leases = [...store.leases.entries(0)].map(({ id: lease, ttl, deadline }) => [lease, ttl, deadline]);
  const expected = [...model.leases].map(([lease, { ttl, since }]) => [lease, ttl, since + ttl * 1_000]);
  expect('the leases', leases, expected);
  const sessions = [...store.sessions.entries()].map(({ id: session, ttl, used, results, floor }) => [
    session,
    ttl,
    used,
    results.length,
    floor,
  ]);
  const known = [...model.sessions].map(([session, { ttl, since, results, floor }]) => [
    session,
    ttl,
    since,
    results.size,
    floor,
  ]);
  expect('the sessions', sessions, known);
}
