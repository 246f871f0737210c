import { expect } from 'chai';
import { apply, type Command } from '../../src/kv/commands.ts';
import { SLACK } from '../../src/kv/deadlines.ts';
import { ImageReader, imageOf } from '../../src/kv/image.ts';
import { Store } from '../../src/kv/store.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import { withSeed } from '../shared/random.ts';

const SECOND = 1_000;
const TTL = 60;

/** A store with a session of a minute, opened at 0. */
function given(): Store {
  const store = new Store();
  expect(apply(store, { op: 'session', ttl: TTL, at: 0 })).to.deep.equal({
    ok: true,
    rev: 0,
    session: 1,
    ttl: TTL,
  });
  return store;
}

function set(seq: number, more: object = {}): Command {
  return { op: 'set', key: '/a', value: String(seq), session: 1, seq, at: 0, ...more };
}

function codeOf(outcome: Outcome): string {
  return outcome.ok ? 'ok' : outcome.error.code;
}

/** The same state, as a node that was restored from a snapshot has it. */
function restored(store: Store): Store {
  const reader = new ImageReader();
  for (const record of imageOf(new Store(store))) reader.take(JSON.parse(JSON.stringify(record)));
  return reader.finish();
}

describe('a session', () => {
  it('lives an hour from its last use unless told, and has a number of its own', () => {
    const store = given();
    expect(apply(store, { op: 'session', at: 5 })).to.deep.equal({
      ok: true,
      rev: 0,
      session: 2,
      ttl: 3_600,
    });
  });

  it('does not hold to an answer that says to try again: nothing was done, and later it may be', () => {
    const store = given();
    while (apply(store, { op: 'session', ttl: 1, at: 0 }).ok) {
      // until there are as many as a store has room for
    }
    const another: Command = { op: 'session', session: 1, seq: 1, at: 0 };
    const refused = apply(store, another);
    expect(refused).to.have.property('error').that.includes({ code: 'BUSY', definite: true, limit: 100_000 });
    expect(codeOf(apply(store, another))).to.equal('BUSY');
    apply(store, { op: 'time', at: 30 * SECOND });
    const done = apply(store, another);
    expect(done.ok).to.equal(true);
    expect(apply(store, another)).to.deep.equal(done);
  });

  it('makes a change happen once, and gives the first result again', () => {
    const store = given();
    const first = apply(store, set(1, { prev: true }));
    apply(store, { op: 'set', key: '/a', value: 'another' });
    for (let time = 0; time < 3; time += 1) {
      expect(apply(store, set(1, { prev: true, at: time }))).to.deep.equal(first);
    }
    expect([store.rev, store.get('/a')?.value]).to.deep.equal([2, 'another']);
  });

  it('knows the same change by what it says, and not by the order of its fields', () => {
    const store = given();
    const first = apply(store, set(1, { if: [{ absent: true, mod: 0 }], prev: true }));
    const again = {
      at: 3,
      seq: 1,
      prev: true,
      if: [{ mod: 0, absent: true }],
      session: 1,
      value: '1',
      key: '/a',
    };
    expect(apply(store, { ...again, op: 'set' } as Command)).to.deep.equal(first);
  });

  it('refuses another change under the same number, and does not carry it out', () => {
    const store = given();
    apply(store, set(1));
    for (const other of [
      set(1, { value: '2' }),
      set(1, { key: '/b' }),
      set(1, { prev: true }),
      set(1, { if: [{ mod: 1 }] }),
      { op: 'remove', key: '/a', session: 1, seq: 1, at: 0 } as const,
    ]) {
      const outcome = apply(store, other);
      expect(codeOf(outcome), JSON.stringify(other)).to.equal('BAD_REQUEST');
      if (!outcome.ok) expect(outcome.error).to.include({ definite: true, field: 'seq' });
    }
    expect([store.rev, store.get('/a')?.value]).to.deep.equal([1, '1']);
  });

  it('remembers a refusal, too: what conflicted once is not done when it comes again', () => {
    const store = given();
    const conflicting = set(1, { if: [{ exists: true }] });
    const first = apply(store, conflicting);
    expect(codeOf(first)).to.equal('CONFLICT');
    apply(store, { op: 'set', key: '/a', value: 'there' });
    expect(apply(store, conflicting)).to.deep.equal(first);
    expect(store.get('/a')?.value).to.equal('there');
  });

  it('covers every kind of change', () => {
    const store = given();
    const commands: Command[] = [
      // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
      { op: 'txn', then: [{ op: 'set', key: '/t', value: '' }], session: 1, seq: 1, at: 0 },
      { op: 'grant', ttl: 5, session: 1, seq: 2, at: 0 },
      { op: 'renew', lease: 1, session: 1, seq: 3, at: 0 },
      { op: 'revoke', lease: 1, session: 1, seq: 4, at: 0 },
      { op: 'session', ttl: 7, session: 1, seq: 5, at: 0 },
      { op: 'remove', prefix: '/', session: 1, seq: 6, at: 0 },
    ];
    const first = commands.map(command => apply(store, command));
    expect(first.map(codeOf)).to.deep.equal(commands.map(() => 'ok'));
    const { rev } = store;
    expect(commands.map(command => apply(store, command))).to.deep.equal(first);
    expect([store.rev, store.leases.last, store.sessions.last]).to.deep.equal([rev, 1, 2]);
  });

  it('takes numbers in any order, and remembers the latest 1,024', () => {
    const store = given();
    for (const seq of [5, 3, 4, 1, 2]) expect(codeOf(apply(store, set(seq)))).to.equal('ok');
    for (let seq = 6; seq <= 1_024; seq += 1) apply(store, set(seq));
    expect(apply(store, set(1))).to.include({ mod: 4 });
    const { rev } = store;
    apply(store, set(2_000));
    const forgotten = apply(store, set(1));
    expect(codeOf(forgotten)).to.equal('SESSION_EXPIRED');
    expect(apply(store, set(2))).to.include({ mod: 5 });
    // Between those that it remembers there is room for one that comes late: it cannot have happened.
    expect(codeOf(apply(store, set(1_500)))).to.equal('ok');
    expect(codeOf(apply(store, set(2)))).to.equal('SESSION_EXPIRED');
    expect(store.rev).to.equal(rev + 2);
  });

  it('remembers of answers that could fill the memory that their changes were carried out, and does none again', () => {
    const store = given();
    apply(store, { op: 'set', key: '/a', value: 'x'.repeat(500_000) });
    const large = (seq: number) => set(seq, { value: 'x'.repeat(500_000), prev: true });
    for (let seq = 2; seq <= 40; seq += 1) expect(codeOf(apply(store, large(seq)))).to.equal('ok');
    expect(store.sessions.get(1)?.characters).to.be.lessThan(9_000_000);
    expect(codeOf(apply(store, large(40)))).to.equal('ok');
    for (const one of [store, restored(store)]) {
      const again = apply(one, large(2));
      expect(again.ok ? undefined : again.error).to.include({
        ...{ code: 'SESSION_EXPIRED', definite: false, retry: false, done: true, rev: 2 },
      });
      expect(one.rev).to.equal(40);
    }
    // One that is smaller in number and comes late is no less a first.
    expect(codeOf(apply(store, large(1)))).to.equal('ok');
    expect(store.rev).to.equal(41);
    expect(store.sessions.get(1)?.floor).to.equal(0);
    // Of any sizes, and in whatever order they came, a copy finds the same.
    for (const seq of [60, 50, 70, 45, 65]) {
      apply(store, { op: 'set', key: '/a', value: 'y'.repeat(seq * 7_001) });
      apply(store, large(seq));
    }
    expect(restored(store).hash).to.equal(store.hash);
  });

  it('refuses a session that never was', () => {
    const store = given();
    expect(codeOf(apply(store, set(1, { session: 2 })))).to.equal('SESSION_EXPIRED');
    expect(store.rev).to.equal(0);
  });

  it('ends when the log has told that it was not used for its time, and not before', () => {
    const store = given();
    apply(store, set(1, { at: 50 * SECOND }));
    const end = 50 * SECOND + TTL * SECOND + SLACK;
    apply(store, { op: 'time', at: end - 1 });
    expect(store.sessions.size).to.equal(1);
    apply(store, { op: 'time', at: end });
    expect(store.sessions.size).to.equal(0);
    const outcome = apply(store, set(1, { at: end }));
    expect(codeOf(outcome)).to.equal('SESSION_EXPIRED');
    expect(store.rev).to.equal(1);
    expect([...imageOf(store)].filter(record => 'result' in Object(record))).to.deep.equal([]);
    expect(apply(store, { op: 'session', at: end })).to.include({ session: 2 });
  });

  it('is used by what is repeated, too', () => {
    const store = given();
    apply(store, set(1));
    apply(store, set(1, { at: 40 * SECOND }));
    apply(store, { op: 'time', at: 90 * SECOND });
    expect(store.sessions.size).to.equal(1);
  });

  it('is a part of the state whose hash is the same in every version: nodes are restarted with a new one by one', () => {
    const store = given();
    apply(store, { op: 'grant', ttl: TTL, at: 0 });
    apply(store, set(1, { lease: 1 }));
    apply(store, set(2, { prev: true }));
    apply(store, { op: 'remove', key: '/a', session: 1, seq: 3, at: 0 });
    apply(store, set(5));
    const list = { op: 'list', prefix: '/', values: true } as const;
    const leased = { op: 'set', key: '/b', value: 'é', lease: 1 } as const;
    // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
    apply(store, { op: 'txn', then: [leased, list], session: 1, seq: 4, at: SECOND });
    expect(store.hash).to.equal('f07e2da350a11c8f-5');
    expect(restored(store).hash).to.equal(store.hash);
  });

  it('stays in a copy of the store as it was, whatever is done in the store or in the copy', () =>
    withSeed(random => {
      const stores = [given()];
      for (let game = 0; game < 200; game += 1) {
        const images = stores.map(store => [...imageOf(store)]);
        const chosen = random.below(stores.length);
        const store = stores[chosen] as Store;
        const seq = 1 + random.below(2_000);
        for (let more = random.below(3); more >= 0; more -= 1) apply(store, set(seq + more));
        for (const [at, image] of images.entries())
          if (at !== chosen) expect([...imageOf(stores[at] as Store)]).to.deep.equal(image);
        if (random.chance(0.1) && stores.length < 6) stores.push(new Store(store));
      }
    }));

  it('is the same on a node that was restored from a snapshot, through any history', () =>
    withSeed(random => {
      for (let game = 0; game < 40; game += 1) {
        let [one, other] = [new Store(), new Store()];
        let at = 0;
        for (let step = 0; step < 120; step += 1) {
          at += random.below(3 * SECOND);
          const session = 1 + random.below(4);
          const seq = 1 + random.below(20);
          const command = random.pick<Command>([
            { op: 'session', ttl: 1 + random.below(20), at },
            { op: 'time', at },
            { op: 'set', key: '/a', value: String(random.below(2)), session, seq, at },
            { op: 'remove', key: '/a', session, seq, at },
          ]);
          expect(apply(one, command)).to.deep.equal(apply(other, structuredClone(command)));
          expect(one.hash).to.equal(other.hash);
          if (random.chance(0.1)) other = restored(other);
          if (random.chance(0.05)) one = new Store(one);
        }
        expect([...imageOf(one)]).to.deep.equal([...imageOf(other)]);
      }
    }));
});
