import { expect } from 'chai';
import { apply, type Command } from '../../src/kv/commands.ts';
import { SLACK } from '../../src/kv/deadlines.ts';
import { ImageReader, imageOf } from '../../src/kv/image.ts';
import { answer } from '../../src/kv/queries.ts';
import { Store } from '../../src/kv/store.ts';
import type { KeyOp } from '../../src/wire/key-ops.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import { withSeed } from '../shared/random.ts';

const SECOND = 1_000;

/** A store with lease 1 of ten seconds, granted at 0. */
function given(): Store {
  const store = new Store();
  expect(apply(store, { op: 'grant', ttl: 10, at: 0 })).to.deep.equal({
    ok: true,
    rev: 0,
    lease: 1,
    ttl: 10,
  });
  return store;
}

const set = (key: string, lease?: number): Command =>
  lease === undefined ? { op: 'set', key, value: '' } : { op: 'set', key, value: '', lease };

function txn(ops: readonly KeyOp[]): Command {
  // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
  return { op: 'txn', then: ops };
}

function codeOf(outcome: Outcome): string {
  return outcome.ok ? 'ok' : outcome.error.code;
}

function keysOf(store: Store): string[] {
  return [...store.entries('')].map(([key]) => key);
}

function restored(store: Store): Store {
  const reader = new ImageReader();
  for (const record of imageOf(new Store(store))) reader.take(JSON.parse(JSON.stringify(record)));
  return reader.finish();
}

describe('a lease', () => {
  it('shows at the keys that were set with it, and goes from those that are set without', () => {
    const store = given();
    apply(store, set('/a', 1));
    apply(store, set('/b', 1));
    expect(answer(store, { op: 'get', key: '/a' })).to.include({ lease: 1 });
    const { entries } = answer(store, { op: 'list', values: true }) as unknown as { entries: object[] };
    expect(entries[0]).to.deep.equal({ key: '/a', value: '', create: 1, mod: 1, version: 1, lease: 1 });
    apply(store, set('/a'));
    expect(answer(store, { op: 'get', key: '/a' })).to.not.have.property('lease');
    expect(store.leases.keysOf(1)).to.deep.equal(['/b']);
    expect(store.leases.get(1)).to.include({ keys: 1 });
    apply(store, { op: 'remove', key: '/b' });
    expect(store.leases.get(1)).to.include({ keys: 0 });
  });

  it('that is not there is refused, and nothing is set', () => {
    const store = given();
    const outcome = apply(store, set('/a', 2));
    expect(codeOf(outcome)).to.equal('LEASE_NOT_FOUND');
    if (!outcome.ok) expect(outcome.error).to.include({ lease: 2, definite: true });
    for (const op of ['renew', 'revoke'] as const) {
      expect(codeOf(apply(store, { op, lease: 2, at: 0 }))).to.equal('LEASE_NOT_FOUND');
    }
    expect(store.rev).to.equal(0);
  });

  it('takes its keys with it in one revision when it is revoked', () => {
    const store = given();
    for (const key of ['/b', '/a', '/c']) apply(store, set(key, 1));
    apply(store, set('/kept'));
    expect(apply(store, { op: 'revoke', lease: 1 })).to.deep.equal({
      ...{ ok: true, rev: 5, lease: 1, ttl: 10, removed: 3 },
    });
    expect(keysOf(store)).to.deep.equal(['/kept']);
    const events = store.history.at(5)?.map(({ key, entry, prev }) => [key, entry, prev?.lease]);
    expect(events).to.deep.equal(['/a', '/b', '/c'].map(key => [key, undefined, 1]));
    expect(store.leases.size).to.equal(0);
    expect(store.leases.nextDue).to.equal(undefined);
  });

  it('steps no revision when it ends without keys', () => {
    const store = given();
    expect(apply(store, { op: 'revoke', lease: 1 })).to.include({ rev: 0, removed: 0 });
  });

  it('ends when the log has told that its time has passed, and not before', () => {
    const store = given();
    apply(store, set('/a', 1));
    apply(store, { op: 'time', at: 10 * SECOND + SLACK - 1 });
    expect(keysOf(store)).to.deep.equal(['/a']);
    apply(store, { op: 'time', at: 10 * SECOND + SLACK });
    expect(keysOf(store)).to.deep.equal([]);
    expect(store.rev).to.equal(2);
    expect(codeOf(apply(store, { op: 'renew', lease: 1, at: 11 * SECOND }))).to.equal('LEASE_NOT_FOUND');
  });

  it('begins its time anew when it is renewed', () => {
    const store = given();
    apply(store, set('/a', 1));
    expect(apply(store, { op: 'renew', lease: 1, at: 8 * SECOND })).to.deep.equal({
      ...{ ok: true, rev: 1, lease: 1, ttl: 10 },
    });
    apply(store, { op: 'time', at: 18 * SECOND });
    expect(keysOf(store)).to.deep.equal(['/a']);
    apply(store, { op: 'time', at: 18 * SECOND + SLACK });
    expect(keysOf(store)).to.deep.equal([]);
  });

  it('can be renewed after its time until the log has ended it', () => {
    const store = given();
    apply(store, { op: 'session', at: 30 * SECOND });
    expect(codeOf(apply(store, { op: 'renew', lease: 1, at: 30 * SECOND }))).to.equal('ok');
  });

  it('is not brought nearer its end by a time from before', () => {
    const store = given();
    apply(store, { op: 'time', at: 5 * SECOND });
    apply(store, { op: 'time', at: 3 * SECOND });
    apply(store, { op: 'grant', ttl: 10, at: 2 * SECOND });
    expect([store.time, store.leases.get(2)?.deadline]).to.deep.equal([5 * SECOND, 15 * SECOND]);
  });

  it('ends beside others each in a revision of its own, those first that were due first', () => {
    const store = given();
    apply(store, { op: 'grant', ttl: 5, at: 0 });
    apply(store, set('/ten', 1));
    apply(store, set('/five', 2));
    apply(store, { op: 'time', at: 60 * SECOND });
    expect(store.rev).to.equal(4);
    expect(store.history.at(3)?.[0]?.key).to.equal('/five');
    expect(store.history.at(4)?.[0]?.key).to.equal('/ten');
  });

  it('shows in `leases` with the seconds that it has left, page by page', () => {
    const store = given();
    for (let ttl = 1; ttl <= 4; ttl += 1) apply(store, { op: 'grant', ttl, at: 500 });
    apply(store, set('/a', 1));
    expect(answer(store, { op: 'leases', limit: 2 })).to.deep.equal({
      ok: true,
      rev: 1,
      leases: [
        { lease: 1, ttl: 10, left: 10, keys: 1 },
        { lease: 2, ttl: 1, left: 1, keys: 0 },
      ],
      next: 3,
    });
    expect(answer(store, { op: 'leases', from: 3 }))
      .to.deep.include({ next: null })
      .and.property('leases')
      .length(3);
  });

  it('is the same on a node that was restored from a snapshot, through any history', () =>
    withSeed(random => {
      for (let game = 0; game < 40; game += 1) {
        let [one, other] = [new Store(), new Store()];
        let at = 0;
        for (let step = 0; step < 150; step += 1) {
          at += random.below(2 * SECOND);
          const lease = 1 + random.below(6);
          const key = random.pick(['/a', '/b', '/\uff5e', '/\u{1f600}', '/c']);
          const command = random.pick<Command>([
            { op: 'grant', ttl: 1 + random.below(10), at },
            { op: 'renew', lease, at },
            { op: 'revoke', lease },
            { op: 'time', at },
            { op: 'set', key, value: '', lease },
            { op: 'set', key, value: '', lease },
            { op: 'set', key, value: '' },
            { op: 'remove', prefix: key },
            txn([
              { op: 'set', key, value: '', lease },
              { op: 'set', key: '/a', value: '', lease: 3 },
            ]),
          ]);
          expect(apply(one, command)).to.deep.equal(apply(other, structuredClone(command)));
          expect(one.hash).to.equal(other.hash);
          if (random.chance(0.1)) other = restored(other);
          if (random.chance(0.05)) one = new Store(one);
        }
        expect([...one.entries('')]).to.deep.equal([...other.entries('')]);
        const attached = [...one.entries('')].filter(([, entry]) => entry.lease !== undefined);
        for (const [key, { lease = 0 }] of attached) expect(one.leases.keysOf(lease)).to.include(key);
        const counts = [...one.leases.entries(0)].reduce((sum, { keys }) => sum + keys, 0);
        expect(counts).to.equal(attached.length);
      }
    }));
});
