import { expect } from 'chai';
import type { LineClient, Reply } from '../line-client.ts';
import { type Subject, setAll } from './subject.ts';

/** `list`: order, depth, pages, values. */
export function lists({ connect, room, exceptions }: Subject): void {
  const reads = exceptions.reads ?? {};

  describe('list', () => {
    it('answers with the keys that begin with the prefix, and null at the end', async () => {
      const client = await connect();
      const at = room();
      const rev = await setAll(
        client,
        ['b', 'a', 'a/x', 'ab'].map(key => at + key),
      );
      expect(await client.ask({ op: 'list', prefix: `${at}a` })).to.deep.equal({
        ok: true,
        rev,
        keys: [`${at}a`, `${at}a/x`, `${at}ab`],
        next: null,
        ...reads,
      });
      expect((await client.ask({ op: 'list', prefix: `${at}none` })).keys).to.deep.equal([]);
    });

    it('lists everything without a prefix', async () => {
      const client = await connect();
      const at = room();
      await setAll(client, [at]);
      expect((await everyPage(client, { limit: 10_000 })).flat()).to.include(at);
      expect((await everyPage(client, { prefix: '' })).flat()).to.include(at);
    });

    it('orders keys by code point, also beyond U+FFFF', async () => {
      const client = await connect();
      const at = room();
      const inOrder = [
        '',
        '\u0000',
        '!',
        '/',
        'A',
        'a',
        'a\u0000',
        'aa',
        'é',
        '\ud7ff',
        '\ue000',
        '\uff5e',
        '\u{1f600}',
      ];
      await setAll(
        client,
        inOrder.toReversed().map(key => at + key),
      );
      const { keys } = await client.ask({ op: 'list', prefix: at });
      expect(keys).to.deep.equal(inOrder.map(key => at + key));
    });

    it('carries values and revisions on demand', async () => {
      const client = await connect();
      const at = room();
      const mod = await setAll(client, [`${at}a`, `${at}b`], 'x');
      expect(await client.ask({ op: 'list', prefix: at, values: true })).to.deep.equal({
        ok: true,
        rev: mod,
        entries: [
          { key: `${at}a`, value: 'x', create: mod - 1, mod: mod - 1, version: 1 },
          { key: `${at}b`, value: 'x', create: mod, mod, version: 1 },
        ],
        next: null,
        ...reads,
      });
      expect(await client.ask({ op: 'list', prefix: at, values: false })).to.have.property('keys');
    });

    it('goes no further below the prefix than depth, with or without its last slash', async () => {
      const client = await connect();
      const at = room();
      const keys = [
        'app',
        'app/',
        'app/db',
        'app/db/host',
        'app/db/port',
        'app/web',
        'app/web/a/b',
        'apple/x',
      ];
      await setAll(
        client,
        keys.map(key => at + key),
      );
      const list = async (prefix: string, depth: number) => {
        const { keys: found } = await client.ask({ op: 'list', prefix: at + prefix, depth });
        return found.map((key: string) => key.slice(at.length));
      };
      expect(await list('app/', 1)).to.deep.equal(['app/', 'app/db', 'app/db/', 'app/web', 'app/web/']);
      expect(await list('app/', 2)).to.deep.equal([
        'app/',
        'app/db',
        'app/db/host',
        'app/db/port',
        'app/web',
        'app/web/a/',
      ]);
      expect(await list('app/', 3)).to.deep.equal(keys.slice(1, 7));
      expect(await list('app', 1)).to.deep.equal([
        'app',
        'app/',
        'app/db',
        'app/db/',
        'app/web',
        'app/web/',
        'apple/',
      ]);
      expect(await list('', 1)).to.deep.equal(['app', 'app/', 'apple/']);
      expect(await list('', 2 ** 53 - 1)).to.deep.equal(keys);
    });

    it('shows a directory as an entry without a value, unless a key is spelled just so', async () => {
      const client = await connect();
      const at = room();
      await setAll(client, [`${at}a/x`, `${at}b/`, `${at}b/x`]);
      const { entries } = await client.ask({ op: 'list', prefix: at, depth: 1, values: true });
      expect(entries[0]).to.deep.equal({ key: `${at}a/`, value: null, create: 0, mod: 0, version: 0 });
      expect(entries[1]).to.include({ key: `${at}b/`, value: 'v', version: 1 });
      expect(entries).to.have.length(2);
    });

    it('pages: after is exclusive, and next is what to give it', async () => {
      const client = await connect();
      const at = room();
      const keys = ['a', 'b', 'c/1', 'c/2', 'd', 'e/1'].map(key => at + key);
      await setAll(client, keys);
      const first = await client.ask({ op: 'list', prefix: at, limit: 2 });
      expect(first).to.deep.include({ keys: keys.slice(0, 2), next: keys[1] });
      for (const limit of [1, 2, 3, 5, 6, 7]) {
        const pages = await everyPage(client, { prefix: at, limit });
        expect(pages.flat(), `limit ${limit}`).to.deep.equal(keys);
        expect(pages).to.have.length(Math.ceil(keys.length / limit));
        const folded = await everyPage(client, { prefix: at, limit, depth: 1 });
        expect(folded.flat(), `limit ${limit}`).to.deep.equal(
          ['a', 'b', 'c/', 'd', 'e/'].map(key => at + key),
        );
      }
      const beyond = await client.ask({ op: 'list', prefix: at, after: `${at}zzz` });
      expect(beyond).to.deep.include({ keys: [], next: null });
      const between = await client.ask({ op: 'list', prefix: at, after: `${at}c` });
      expect(between.keys).to.deep.equal(keys.slice(2));
      const ahead = await client.ask({ op: 'list', prefix: at, after: '' });
      expect(ahead.keys).to.deep.equal(keys);
    });

    it('gives 1,000 keys unless told, and 10,000 at most', async () => {
      const client = await connect();
      const at = room();
      const sets = Array.from({ length: 1_001 }, (_, n) => ({ op: 'set', key: `${at}${n}`, value: '' }));
      client.send(...sets);
      await client.replies(sets.length);
      const page = await client.ask({ op: 'list', prefix: at });
      expect(page.keys).to.have.length(1_000);
      expect(page.next).to.equal(page.keys.at(-1));
      expect((await client.ask({ op: 'list', prefix: at, limit: 10_000 })).keys).to.have.length(1_001);
      expect((await client.ask({ op: 'list', prefix: at, limit: 10_001 })).ok).to.equal(false);
    });

    it('never gives more than 1 MiB at once, and still all of it', async () => {
      const client = await connect();
      const at = room();
      const value = '"'.repeat(200_000); // two bytes each, once it is written as JSON
      const keys = Array.from({ length: 7 }, (_, n) => `${at}${n}`);
      await setAll(client, keys, value);
      const pages = await everyPage(client, { prefix: at, values: true });
      expect(pages.flat()).to.deep.equal(keys);
      expect(pages).to.have.length.greaterThan(2);
    });

    it('counts directories into its 1 MiB', async () => {
      const client = await connect();
      const at = room();
      const name = 'x'.repeat(90);
      const keys = Array.from({ length: 9_000 }, (_, n) => `${at}${String(n).padStart(5, '0')}${name}/`);
      client.send(...keys.map(key => ({ op: 'set', key: `${key}a`, value: '', timeout: 60_000 })));
      await client.replies(keys.length);
      const pages = await everyPage(client, { prefix: at, depth: 1, values: true, limit: 10_000 });
      expect(pages.flat()).to.deep.equal(keys);
      await client.ask({ op: 'remove', prefix: at });
    });
  });
}

/** The keys of each page, following `next` to its end; no reply may be over 1 MiB. */
async function everyPage(client: LineClient, query: object): Promise<string[][]> {
  const pages: string[][] = [];
  for (let next: string | null = ''; next !== null; ) {
    client.send({ op: 'list', ...query, ...(next === '' ? {} : { after: next }) });
    const line = await client.line();
    expect(Buffer.byteLength(line)).to.be.at.most(1_048_576);
    const reply: Reply = JSON.parse(line);
    expect(reply.ok, line.slice(0, 300)).to.equal(true);
    pages.push(reply.keys ?? reply.entries.map((entry: { key: string }) => entry.key));
    next = reply.next;
  }
  return pages;
}
