import { expect } from 'chai';
import { apply } from '../../src/kv/commands.ts';
import { Digest, hashOf as hashOfEntry, hashOfNumbers } from '../../src/kv/digest.ts';
import { answer } from '../../src/kv/queries.ts';
import { Store } from '../../src/kv/store.ts';
import type { Condition } from '../../src/wire/fields.ts';
import type { KeyChange, RequestOf } from '../../src/wire/ops.ts';
import { type Random, withSeed } from '../shared/random.ts';

interface Entry {
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
}

type KeyRead = RequestOf<'get'> | RequestOf<'list'>;

/** The contract of §1 written down the slow way: a Map, and every list made anew by sorting all keys. */
class Model {
  rev = 0;
  readonly map: Map<string, Entry>;

  constructor(map = new Map<string, Entry>(), rev = 0) {
    this.map = map;
    this.rev = rev;
  }

  apply(request: KeyChange): object {
    for (const condition of request.if ?? []) {
      const key = condition.key ?? request.key ?? '';
      if (!this.#holds(condition, this.map.get(key)))
        return { conflict: key, mod: this.map.get(key)?.mod ?? 0 };
    }
    if (request.op === 'set') {
      this.rev += 1;
      const old = this.map.get(request.key);
      const { value } = request;
      this.map.set(request.key, {
        ...{ value, create: old?.create ?? this.rev, mod: this.rev, version: (old?.version ?? 0) + 1 },
      });
      return { ok: true, rev: this.rev, mod: this.rev, ...(request.prev ? { prev: old ?? null } : {}) };
    }
    const { key, prefix } = request;
    const doomed = [...this.map.keys()].filter(name =>
      key === undefined ? name.startsWith(prefix ?? '') : name === key,
    );
    for (const name of doomed) this.map.delete(name);
    if (doomed.length > 0) this.rev += 1;
    return { ok: true, rev: this.rev, removed: doomed.length };
  }

  answer(request: KeyRead): object {
    const absent = { value: null, create: 0, mod: 0, version: 0 };
    if (request.op === 'get') {
      return { ok: true, rev: this.rev, key: request.key, ...(this.map.get(request.key) ?? absent) };
    }
    const { prefix = '', depth = Number.POSITIVE_INFINITY, limit = 1_000, after = '', values } = request;
    const names = new Set<string>();
    for (const key of this.map.keys()) if (key.startsWith(prefix)) names.add(cut(key, prefix, depth));
    const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const rest = sorted.filter(name => Buffer.compare(Buffer.from(name), Buffer.from(after)) > 0);
    const page = rest.slice(0, limit);
    const next = rest.length > limit ? (page.at(-1) ?? null) : null;
    if (!values) return { ok: true, rev: this.rev, keys: page, next };
    const entries = page.map(key => ({ key, ...(this.map.get(key) ?? absent) }));
    return { ok: true, rev: this.rev, entries, next };
  }

  #holds(condition: Condition, entry: Entry | undefined): boolean {
    return (
      (condition.mod === undefined || condition.mod === (entry?.mod ?? 0)) &&
      (condition.create === undefined || condition.create === (entry?.create ?? 0)) &&
      (condition.version === undefined || condition.version === (entry?.version ?? 0)) &&
      (condition.value === undefined || condition.value === entry?.value) &&
      !(condition.absent && entry) &&
      !(condition.exists && !entry)
    );
  }
}

/** The key itself, or its directory when it is more than `depth` levels below the prefix. */
function cut(key: string, prefix: string, depth: number): string {
  const below = key.slice(prefix.length);
  const slash = below.startsWith('/') && !prefix.endsWith('/') ? '/' : '';
  const levels = below.slice(slash.length).split('/');
  if (levels.length <= depth) return key;
  return `${prefix}${slash}${levels.slice(0, depth).join('/')}/`;
}

const PARTS = ['a', 'b', 'ab', '', '\uff5e', '\u{1f600}', '0'];

function key(random: Random): string {
  const parts = Array.from({ length: 1 + random.below(4) }, () => random.pick(PARTS));
  return parts.join('/') || 'a';
}

function conditions(random: Random, at: number): { if?: Condition[] } {
  if (random.chance(0.6)) return {};
  const one = (): Condition => ({
    key: key(random),
    ...random.pick<Condition>([
      ...([
        { absent: true },
        { exists: true },
        { mod: random.below(at + 2) },
        { create: random.below(at + 2) },
      ] as const),
      ...([
        { version: random.below(3) },
        { value: String(random.below(5)) },
        { exists: true, version: 1 },
      ] as const),
    ]),
  });
  return { if: Array.from({ length: random.below(3) }, one) };
}

function change(random: Random, at: number): KeyChange {
  const common = conditions(random, at);
  if (random.chance(0.7)) {
    return {
      op: 'set',
      key: key(random),
      value: String(random.below(5)),
      prev: random.chance(0.3),
      ...common,
    };
  }
  if (random.chance(0.8)) return { op: 'remove', key: key(random), ...common };
  return { op: 'remove', prefix: key(random), ...common };
}

function read(random: Random): KeyRead {
  if (random.chance(0.4)) return { op: 'get', key: key(random) };
  return {
    op: 'list',
    prefix: random.chance(0.4) ? '' : key(random),
    values: random.chance(0.5),
    ...(random.chance(0.5) ? { depth: 1 + random.below(4) } : {}),
    ...(random.chance(0.5) ? { limit: 1 + random.below(5) } : {}),
    ...(random.chance(0.4) ? { after: key(random) } : {}),
  };
}

/** An outcome without the words of its error. */
function told(outcome: ReturnType<typeof apply>): object {
  return outcome.ok ? outcome : { conflict: outcome.error.key, mod: outcome.error.mod };
}

/** The hash of a store with these entries, made anew from each of them. */
function hashOf({ map, rev }: Model): string {
  const digest = new Digest();
  for (const [name, entry] of map) digest.toggle(hashOfEntry(name, entry));
  digest.toggle(hashOfNumbers(0, 0, 0));
  return `${digest}-${rev}`;
}

describe('the store', () => {
  it('does what a plain map and the contract say, whatever is asked of it', () =>
    withSeed(random => {
      for (let game = 0; game < 50; game += 1) {
        const store = new Store();
        const model = new Model();
        for (let step = 0; step < 150; step += 1) {
          const write = change(random, model.rev);
          expect(told(apply(store, write)), JSON.stringify(write)).to.deep.equal(model.apply(write));
          const query = read(random);
          expect(answer(store, query), JSON.stringify(query)).to.deep.equal(model.answer(query));
          expect([store.rev, store.size]).to.deep.equal([model.rev, model.map.size]);
        }
      }
    }));

  it('gives copies that change without each other, each with the hash of what it holds', () =>
    withSeed(random => {
      for (let game = 0; game < 20; game += 1) {
        const pairs = [{ store: new Store(), model: new Model() }];
        for (let step = 0; step < 200; step += 1) {
          const { store, model } = random.pick(pairs);
          if (random.chance(0.05))
            pairs.push({ store: new Store(store), model: new Model(new Map(model.map), model.rev) });
          const write = change(random, model.rev);
          expect(told(apply(store, write))).to.deep.equal(model.apply(write));
        }
        for (const { store, model } of pairs) {
          expect(store.hash).to.equal(hashOf(model));
          const all = { op: 'list', values: true, limit: 10_000 } as const;
          expect(answer(store, all)).to.deep.equal(model.answer(all));
        }
      }
    }));

  it('gives copies that change without each other when they are large, and trees of many nodes', () =>
    withSeed(random => {
      const versions = [{ store: new Store(), model: new Map<string, string>() }];
      for (let step = 0; step < 30_000; step += 1) {
        if (step % 3_000 === 2_999) {
          const { store, model } = random.pick(versions);
          versions.push({ store: new Store(store), model: new Map(model) });
        }
        const { store, model } = random.pick(versions);
        const name = `/k/${random.below(5_000)}`;
        if (random.chance(0.2)) {
          expect(store.delete(name)).to.equal(model.delete(name));
        } else {
          store.put(name, `${step}`);
          model.set(name, `${step}`);
        }
        store.commit();
      }
      for (const { store, model } of versions) {
        const held = [...store.entries('')].map(([name, { value }]) => [name, value]);
        const wanted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
        expect(held).to.deep.equal(wanted);
        expect(store.size).to.equal(model.size);
      }
    }));

  it('is a function of its commands alone: the same ones give the same outcomes and the same store', () =>
    withSeed(random => {
      const [one, other] = [new Store(), new Store()];
      for (let step = 0; step < 2_000; step += 1) {
        const write = change(random, one.rev);
        expect(apply(one, write)).to.deep.equal(apply(other, structuredClone(write)));
      }
      expect([...one.entries('')]).to.deep.equal([...other.entries('')]);
      expect(one.hash).to.equal(other.hash);
      one.put('/one more', '');
      expect(one.hash).to.not.equal(other.hash);
    }));

  it('keeps a hundred thousand keys in order', () => {
    const store = new Store();
    for (let n = 0; n < 100_000; n += 1) {
      store.put(`/k/${(n * 7_919) % 100_000}`, '');
      store.commit();
    }
    expect([store.size, store.rev]).to.deep.equal([100_000, 100_000]);
    const keys = [...store.entries('')].map(([name]) => name);
    expect(keys).to.deep.equal(Array.from({ length: 100_000 }, (_, n) => `/k/${n}`).sort());
  });
});
