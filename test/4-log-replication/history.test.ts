import { expect } from 'chai';
import { apply } from '../../src/kv/commands.ts';
import { History } from '../../src/kv/history.ts';
import { Store } from '../../src/kv/store.ts';
import { withSeed } from '../shared/random.ts';

const event = (key: string, value = '') => {
  const entry = { value, create: 1, mod: 1, version: 1 };
  return { key, entry, prev: undefined };
};

describe('the history of a store', () => {
  it('keeps the latest revisions, so many and no more', () => {
    const history = new History({ revisions: 100, characters: 1_000_000 });
    expect([history.compacted, history.last, history.at(1)]).to.deep.equal([0, 0, undefined]);
    for (let rev = 1; rev <= 1_000; rev += 1) {
      history.add([event(`/${rev}`)]);
      expect(history.last).to.equal(rev);
      expect(history.compacted).to.equal(Math.max(0, rev - 100));
      expect(history.at(history.compacted)).to.equal(undefined);
      expect(history.at(history.compacted + 1)?.[0]?.key).to.equal(`/${history.compacted + 1}`);
      expect(history.at(rev)?.[0]?.key).to.equal(`/${rev}`);
      expect(history.at(rev + 1)).to.equal(undefined);
    }
  });

  it('keeps no more characters than it may, and nothing of a revision that is larger by itself', () => {
    const history = new History({ revisions: 1_000, characters: 10_000 });
    for (let rev = 1; rev <= 100; rev += 1) history.add([event('/a', 'x'.repeat(900))]);
    expect(history.last - history.compacted).to.be.within(9, 11);
    history.add([event('/a', 'x'.repeat(20_000))]);
    expect([history.compacted, history.last]).to.deep.equal([101, 101]);
    history.add([event('/b')]);
    expect(history.at(102)?.[0]?.key).to.equal('/b');
  });

  it('counts a value from before that no revision here has brought, and no value twice', () => {
    const value = 'x'.repeat(900);
    const entry = (mod: number) => ({ value, create: 1, mod, version: 1 });
    const history = new History({ revisions: 1_000, characters: 10_000 });
    for (let rev = 1; rev <= 100; rev += 1)
      history.add([{ key: '/a', entry: entry(rev), prev: entry(rev - 1) }]);
    expect(history.last - history.compacted).to.be.within(9, 11);
    for (let rev = 101; rev <= 200; rev += 1) history.add([{ key: '/a', entry: undefined, prev: entry(1) }]);
    expect(history.last - history.compacted).to.be.within(9, 11);
  });

  it('gives copies that go on without each other', () =>
    withSeed(random => {
      const histories = [
        { history: new History({ revisions: 70, characters: 10_000 }), keys: [] as string[] },
      ];
      for (let step = 0; step < 3_000; step += 1) {
        const one = random.pick(histories);
        if (random.chance(0.01)) {
          histories.push({ history: new History(one.history.bounds, one.history), keys: [...one.keys] });
        }
        const key = `/${step}`;
        one.history.add([event(key)]);
        one.keys.push(key);
      }
      for (const { history, keys } of histories) {
        expect(history.last).to.equal(keys.length);
        expect(history.compacted).to.equal(Math.max(0, keys.length - 70));
        for (let rev = history.compacted + 1; rev <= history.last; rev += 1) {
          expect(history.at(rev)?.[0]?.key).to.equal(keys[rev - 1]);
        }
      }
    }));

  it('tells of a change what it made of each key, once', () => {
    const store = new Store();
    for (const key of ['/a', '/b', '/c']) apply(store, { op: 'set', key, value: 'old' });
    apply(store, { op: 'remove', prefix: '/' });
    expect(store.history.at(4)?.map(({ key, entry, prev }) => [key, entry, prev?.value])).to.deep.equal([
      ['/a', undefined, 'old'],
      ['/b', undefined, 'old'],
      ['/c', undefined, 'old'],
    ]);
    apply(store, { op: 'remove', key: '/a' });
    expect(store.history.last).to.equal(4);
    store.put('/a', 'for a moment');
    store.delete('/a');
    store.commit();
    expect(store.history.at(5)).to.deep.equal([{ key: '/a', entry: undefined, prev: undefined }]);
  });
});
