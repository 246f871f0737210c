import { expect } from 'chai';
import { apply, type Command } from '../../src/kv/commands.ts';
import { ImageReader, imageOf } from '../../src/kv/image.ts';
import { Store } from '../../src/kv/store.ts';
import { withSeed } from '../shared/random.ts';

/** A key that comes and goes in one revision. */
const MOMENT = {
  op: 'txn',
  // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
  then: [
    { op: 'set', key: '/gone', value: 'at once' },
    { op: 'remove', key: '/gone' },
  ],
} as const;

describe('the image of a state', () => {
  it('gives back the very same state, whatever its keys', () => {
    return withSeed(random => {
      const store = new Store();
      const names = ['/a', '/a/b', '/ä', '/\uff5e', '/\u{1f600}', '__proto__', '/nul\u0000', '/line\n'];
      for (let change = random.below(200); change > 0; change -= 1) {
        const key = `${random.pick(names)}${random.below(20)}`;
        if (random.chance(0.3)) store.delete(key);
        else store.put(key, `v${random.below(1_000)}`);
        store.commit();
      }
      const copy = read(lines(store));
      expect(copy.hash).to.equal(store.hash);
      expect([...copy.entries('')]).to.deep.equal([...store.entries('')]);
      expect(copy.put('/next', 'x').mod).to.equal(store.put('/next', 'x').mod);
    });
  });

  it('is of the moment in which the copy was taken, whatever happens meanwhile', () => {
    const store = new Store();
    for (let key = 0; key < 500; key += 1) store.put(`/k/${key}`, 'before');
    store.commit();
    const { hash } = store;
    const image = imageOf(new Store(store));
    const records: unknown[] = [];
    for (const record of image) {
      records.push(record);
      store.put(`/k/${records.length}`, 'after');
      store.delete(`/k/${records.length + 1}`);
      store.commit();
    }
    expect(read(records).hash).to.equal(hash);
  });

  it('brings leases, sessions with what they remember, the time, and the history for those who watch', () => {
    const store = new Store();
    for (const command of [
      { op: 'grant', ttl: 10, at: 1_000 },
      { op: 'session', ttl: 60, at: 2_000 },
      { op: 'set', key: '/leased', value: 'x', lease: 1, session: 1, seq: 3, prev: true, at: 3_000 },
      {
        op: 'set',
        key: '/leased',
        value: 'y',
        lease: 1,
        if: [{ absent: true }],
        session: 1,
        seq: 4,
        at: 3_000,
      },
      { op: 'set', key: '/a', value: 'x' },
      { op: 'set', key: '/a', value: 'y' },
      { op: 'remove', prefix: '/' },
      MOMENT,
      { op: 'set', key: '/leased', value: 'z', lease: 1 },
      { op: 'session', at: 4_000 },
      { op: 'time', at: 5_000 },
    ] as const) {
      apply(store, command as Command);
    }
    const copy = read(lines(store));
    expect([copy.hash, copy.time, copy.history.last]).to.deep.equal([store.hash, 5_000, 6]);
    expect([...copy.leases.entries(0)]).to.deep.equal([...store.leases.entries(0)]);
    expect(copy.leases.keysOf(1)).to.deep.equal(['/leased']);
    expect([...imageOf(copy)]).to.deep.equal([...imageOf(store)]);
    const again = {
      op: 'set',
      key: '/leased',
      value: 'x',
      lease: 1,
      session: 1,
      seq: 3,
      prev: true,
      at: 6_000,
    } as const;
    for (const one of [store, copy]) {
      expect(apply(one, again)).to.deep.equal({ ok: true, rev: 1, mod: 1, prev: null });
    }
    for (let rev = 1; rev <= 6; rev += 1) {
      const told = store.history.at(rev)?.map(({ key, entry, prev }) => ({ key, entry, prev }));
      expect(copy.history.at(rev)).to.deep.equal(told).and.not.to.deep.equal([]);
    }
    for (const one of [store, copy]) apply(one, { op: 'time', at: 60_000 });
    expect([copy.hash, copy.size, copy.sessions.size]).to.deep.equal([store.hash, 0, 2]);
  });

  it('brings no more history than is kept', () => {
    const store = new Store(undefined, { revisions: 100, characters: 1_000_000 });
    for (let step = 0; step < 250; step += 1) apply(store, { op: 'set', key: '/a', value: String(step) });
    const copy = read(lines(store));
    expect([copy.history.compacted, copy.history.last]).to.deep.equal([150, 250]);
    expect(copy.history.at(151)?.[0])
      .to.deep.include({ key: '/a' })
      .and.nested.include({ 'entry.value': '150' });
    const held = new Store(undefined, { revisions: 10, characters: 1_000_000 });
    held.become(copy);
    expect([held.history.compacted, held.history.last]).to.deep.equal([240, 250]);
  });

  it('is refused when a key is missing, changed, there twice, or no key', () => {
    const store = new Store();
    for (const key of ['/a', '/b', '/c']) store.put(key, 'x');
    store.commit();
    const [head, a, b, c] = lines(store) as [unknown, unknown[], unknown[], unknown[]];
    expect(() => read([head, a, b])).to.throw('2 keys');
    expect(() => read([head, a, b, ['/c', 'y', 1, 1, 1]])).to.throw('hash');
    expect(() => read([head, a, b, b])).to.throw('already');
    expect(() => read([head, a, b, ['/c', 'x', 1, 1]])).to.throw('not a key');
    expect(() => read([head, a, b, 7])).to.throw('no part');
    expect(() => read([a, b, c])).to.throw('revision');
    expect(() => read([])).to.throw('no record');
  });

  it('becomes another state for those who hold on to the store', () => {
    const held = new Store();
    held.put('/old', 'x');
    held.commit();
    const other = new Store();
    other.put('/\u{1f600}', 'x');
    other.commit();
    other.put('/\uff5e', 'x');
    other.commit();
    held.become(other);
    expect([held.rev, held.hash]).to.deep.equal([other.rev, other.hash]);
    expect([...held.entries('')].map(([key]) => key)).to.deep.equal(['/\uff5e', '/\u{1f600}']);
  });
});

function lines(store: Store): unknown[] {
  return [...imageOf(store)].map(record => JSON.parse(JSON.stringify(record)) as unknown);
}

function read(records: readonly unknown[]): Store {
  const reader = new ImageReader();
  for (const record of records) reader.take(record);
  return reader.finish();
}
