import { expect } from 'chai';
import { ImageReader, imageOf } from '../../src/kv/image.ts';
import { Store } from '../../src/kv/store.ts';
import { withSeed } from '../shared/random.ts';

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
