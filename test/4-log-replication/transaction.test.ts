import { expect } from 'chai';
import { apply } from '../../src/kv/commands.ts';
import { Store } from '../../src/kv/store.ts';
import type { Condition } from '../../src/wire/fields.ts';
import type { KeyOp } from '../../src/wire/key-ops.ts';
import type { ChangeRequest, RequestOf } from '../../src/wire/ops.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import { type Random, withSeed } from '../shared/random.ts';

const set = (key: string, value: string, more: object = {}): KeyOp => ({ op: 'set', key, value, ...more });
const remove = (key: string): KeyOp => ({ op: 'remove', key });
const get = (key: string): KeyOp => ({ op: 'get', key });

/** A transaction, `else` only where it is given. */
function txn(ops: readonly KeyOp[], others: Partial<RequestOf<'txn'>> = {}): RequestOf<'txn'> {
  // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
  return { op: 'txn', then: ops, ...others };
}

/** A store in which `/a` was set twice, and `/b` once. */
function given(): Store {
  const store = new Store();
  for (const key of ['/a', '/a', '/b']) apply(store, { op: 'set', key, value: 'old' });
  return store;
}

function codeOf(outcome: Outcome): string {
  return outcome.ok ? 'ok' : outcome.error.code;
}

describe('a transaction', () => {
  it('does all of `then` in one revision, and gives the results in order', () => {
    const store = given();
    const ops = [set('/a', '1', { prev: true }), get('/b'), remove('/b'), remove('/none'), set('/c', '2')];
    expect(apply(store, txn(ops))).to.deep.equal({
      ok: true,
      rev: 4,
      succeeded: true,
      results: [
        { mod: 4, prev: { value: 'old', create: 1, mod: 2, version: 2 } },
        { key: '/b', value: 'old', create: 3, mod: 3, version: 1 },
        { removed: 1 },
        { removed: 0 },
        { mod: 4 },
      ],
    });
    expect(store.get('/a')).to.deep.equal({ value: '1', create: 1, mod: 4, version: 3 });
    expect(store.get('/c')).to.deep.equal({ value: '2', create: 4, mod: 4, version: 1 });
    expect(store.rev).to.equal(4);
  });

  it('does `else` when a condition fails, which is no error, and nothing when there is none', () => {
    const store = given();
    const unmet = {
      if: [
        { key: '/a', mod: 2 },
        { key: '/b', absent: true as const },
      ],
    };
    const outcome = apply(store, txn([set('/a', 'never')], { ...unmet, else: [get('/b')] }));
    expect(outcome).to.deep.include({ ok: true, rev: 3, succeeded: false });
    expect(outcome).to.have.property('results').that.has.length(1);
    expect(apply(store, txn([set('/a', 'never')], unmet))).to.deep.equal({
      ...{ ok: true, rev: 3, succeeded: false, results: [] },
    });
  });

  it('lets each operation see what those before it did, a key of two operations included', () => {
    const store = given();
    const ops = [
      set('/a', '1'),
      get('/a'),
      set('/a', '2', { if: [{ version: 3 }] }),
      remove('/b'),
      set('/b', 'new'),
      get('/b'),
      set('/c', 'for a moment'),
      remove('/c'),
      { op: 'list', prefix: '/' } as const,
    ];
    const outcome = apply(store, txn(ops));
    expect(outcome).to.deep.include({ ok: true, rev: 4 });
    const results = outcome.ok ? (outcome.results as object[]) : [];
    expect(results[1]).to.deep.equal({ key: '/a', value: '1', create: 1, mod: 4, version: 3 });
    expect(results[5]).to.deep.equal({ key: '/b', value: 'new', create: 4, mod: 4, version: 1 });
    expect(results[8]).to.deep.equal({ keys: ['/a', '/b'], next: null });
    expect(store.get('/a')).to.deep.equal({ value: '2', create: 1, mod: 4, version: 4 });
    const events = store.history.at(4)?.map(({ key, entry, prev }) => [key, entry?.value, prev?.value]);
    expect(events).to.deep.equal([
      ['/a', '2', 'old'],
      ['/b', 'new', 'old'],
      ['/c', undefined, undefined],
    ]);
  });

  it('steps no revision when it changes nothing', () => {
    const store = given();
    expect(apply(store, txn([get('/a'), remove('/none')]))).to.deep.include({ ok: true, rev: 3 });
    expect(apply(store, txn([]))).to.deep.equal({ ok: true, rev: 3, succeeded: true, results: [] });
  });

  it('leaves nothing behind when one of its operations fails', () => {
    const big = 'x'.repeat(500_000);
    for (const [failing, code] of [
      [set('/b', '2', { if: [{ mod: 7 }] }), 'CONFLICT'],
      [set('/b', '2', { lease: 9 }), 'LEASE_NOT_FOUND'],
      [get('/big'), 'TOO_LARGE'],
    ] as const) {
      const store = given();
      for (const key of ['/big', '/big/2', '/big/3']) apply(store, { op: 'set', key, value: big });
      const before = new Store(store);
      const ops = [set('/a', '1'), remove('/b'), set('/c', '1'), remove('/c'), get('/big/2'), get('/big/3')];
      const outcome = apply(
        store,
        txn(code === 'TOO_LARGE' ? [...ops, failing] : [...ops.slice(0, 4), failing]),
      );
      expect(codeOf(outcome)).to.equal(code);
      if (!outcome.ok)
        expect(outcome.error).to.include({ index: code === 'TOO_LARGE' ? 6 : 4, definite: true });
      expect([...store.entries('')]).to.deep.equal([...before.entries('')]);
      expect([store.hash, store.rev, store.history.last]).to.deep.equal([before.hash, before.rev, 6]);
      apply(store, { op: 'set', key: '/next', value: '' });
      expect(store.history.at(7)).to.have.length(1);
    }
  });

  it('comes to what its operations come to one by one, save for the revisions between, whatever they are', () =>
    withSeed(random => {
      for (let game = 0; game < 300; game += 1) {
        const store = new Store();
        for (let step = 0; step < 20; step += 1) apply(store, change(random));
        const before = new Store(store);
        const ops = Array.from({ length: random.below(8) }, () => change(random));
        const outcome = apply(store, txn(ops));
        const alone = new Store(before);
        const outcomes = ops.map(op => apply(alone, op as ChangeRequest));
        if (outcome.ok) {
          expect(outcomes.every(({ ok }) => ok)).to.equal(true);
          const values = (one: Store) =>
            [...one.entries('')].map(([key, { value, version }]) => [key, value, version]);
          expect(values(store)).to.deep.equal(values(alone));
          expect(store.rev - before.rev).to.equal(alone.rev > before.rev ? 1 : 0);
        } else {
          expect(outcomes.some(({ ok }) => !ok)).to.equal(true);
          expect(store.hash).to.equal(before.hash);
        }
        expect(replayed(before, store)).to.deep.equal([...store.entries('')]);
      }
    }));
});

/** What somebody who watches makes of a store's last revisions, from what the store was before them. */
function replayed(before: Store, after: Store): unknown[] {
  const seen = new Store(before);
  const map = new Map(seen.entries(''));
  for (let rev = before.rev + 1; rev <= after.rev; rev += 1) {
    for (const { key, entry, prev } of after.history.at(rev) ?? []) {
      expect(prev).to.deep.equal(map.get(key));
      if (entry === undefined) map.delete(key);
      else map.set(key, entry);
    }
  }
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

function change(random: Random): Extract<KeyOp, { op: 'set' | 'remove' }> {
  const key = random.pick(['/a', '/a/b', '/b', '/c']);
  const conditions: { if?: Condition[] } = random.chance(0.9)
    ? {}
    : { if: [{ key, ...random.pick([{ exists: true }, { absent: true }] as const) }] };
  if (random.chance(0.6)) return { op: 'set', key, value: String(random.below(9)), ...conditions };
  return random.chance(0.5)
    ? { op: 'remove', key, ...conditions }
    : { op: 'remove', prefix: key, ...conditions };
}
