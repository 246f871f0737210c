import { expect } from 'chai';
import { expectRefusal, type Subject, setAll } from './subject.ts';

/** `get`, `set` and `remove`, and the revisions that they make. */
export function keys({ connect, room, exceptions }: Subject): void {
  const reads = exceptions.reads ?? {};

  describe('get, set and remove', () => {
    it('reads an absent key as null, with revisions of 0', async () => {
      const client = await connect();
      const key = `${room()}nowhere`;
      const reply = await client.ask({ op: 'get', key });
      expect(reply).to.deep.equal({
        ok: true,
        rev: reply.rev,
        key,
        value: null,
        create: 0,
        mod: 0,
        version: 0,
        ...reads,
      });
    });

    it('steps the revision once for each set, and counts a key’s versions from 1', async () => {
      const client = await connect();
      const key = `${room()}a`;
      const base = await setAll(client, [`${key}/before`]);
      expect(await client.ask({ op: 'set', key, value: 'one' })).to.deep.equal({
        ok: true,
        rev: base + 1,
        mod: base + 1,
      });
      expect(await client.ask({ op: 'set', key, value: 'one' })).to.deep.equal({
        ok: true,
        rev: base + 2,
        mod: base + 2,
      });
      expect(await client.ask({ op: 'get', key })).to.deep.equal({
        ok: true,
        rev: base + 2,
        key,
        value: 'one',
        create: base + 1,
        mod: base + 2,
        version: 2,
        ...reads,
      });
    });

    it('keeps a key’s revisions when another key changes', async () => {
      const client = await connect();
      const at = room();
      const mod = await setAll(client, [`${at}a`]);
      await setAll(client, [`${at}b`]);
      const reply = await client.ask({ op: 'get', key: `${at}a` });
      expect(reply).to.include({ mod, create: mod, version: 1, rev: mod + 1 });
    });

    it('begins anew at version 1 when a removed key is set again', async () => {
      const client = await connect();
      const key = `${room()}a`;
      await setAll(client, [key, key, key]);
      const removed = await client.ask({ op: 'remove', key });
      expect(removed).to.deep.equal({ ok: true, rev: removed.rev, removed: 1 });
      expect(await client.ask({ op: 'get', key })).to.include({ value: null, create: 0, mod: 0, version: 0 });
      const mod = await setAll(client, [key]);
      expect(mod).to.equal((removed.rev ?? 0) + 1);
      expect(await client.ask({ op: 'get', key })).to.include({ create: mod, mod, version: 1 });
    });

    it('takes no step for a remove that removes nothing', async () => {
      const client = await connect();
      const at = room();
      const mod = await setAll(client, [`${at}a`]);
      for (const what of [{ key: `${at}b` }, { prefix: `${at}b` }]) {
        expect(await client.ask({ op: 'remove', ...what })).to.deep.equal({ ok: true, rev: mod, removed: 0 });
      }
    });

    it('removes by prefix exactly the keys that begin with it, in one step', async () => {
      const client = await connect();
      const at = room();
      const keys = ['app', 'app/', 'app/db', 'app/db/x', 'apple', 'ap', 'b'];
      const mod = await setAll(
        client,
        keys.map(key => at + key),
      );
      expect(await client.ask({ op: 'remove', prefix: `${at}app/` })).to.deep.equal({
        ok: true,
        rev: mod + 1,
        removed: 3,
      });
      const left = await client.ask({ op: 'list', prefix: at });
      expect(left.keys).to.deep.equal(['ap', 'app', 'apple', 'b'].map(key => at + key));
      expect(await client.ask({ op: 'remove', prefix: at })).to.include({ removed: 4, rev: mod + 2 });
    });

    it('hands back what was there before with prev, and nothing without', async () => {
      const client = await connect();
      const key = `${room()}a`;
      const first = await client.ask({ op: 'set', key, value: 'one', prev: true });
      expect(first).to.deep.equal({ ok: true, rev: first.mod, mod: first.mod, prev: null });
      const mod = first.mod + 1;
      expect(await client.ask({ op: 'set', key, value: 'two', prev: true })).to.deep.equal({
        ok: true,
        rev: mod,
        mod,
        prev: { value: 'one', create: first.mod, mod: first.mod, version: 1 },
      });
      expect(await client.ask({ op: 'set', key, value: '3', prev: false })).to.have.all.keys(
        'ok',
        'rev',
        'mod',
      );
    });

    it('keeps an empty value apart from an absent one', async () => {
      const client = await connect();
      const key = `${room()}a`;
      await client.ask({ op: 'set', key, value: '' });
      expect((await client.ask({ op: 'get', key })).value).to.equal('');
    });

    it('reads stale on demand, and confirmed where the stage can', async () => {
      const client = await connect();
      const key = `${room()}a`;
      const mod = await setAll(client, [key], 'here');
      const confirmed = await client.ask({ op: 'get', key, read: 'linearizable' });
      if (exceptions.linearizable === false) expectRefusal(confirmed, 'WRONG_STAGE');
      else expect(confirmed).to.include({ value: 'here', mod });
      expect(await client.ask({ op: 'get', key, read: 'stale' })).to.include({ value: 'here', mod });
    });

    it('accepts timeout and forward on every request', async () => {
      const client = await connect();
      const key = `${room()}a`;
      const common = { timeout: 3_000, forward: true };
      for (const request of [
        { op: 'help' },
        { op: 'hello' },
        { op: 'ping' },
        { op: 'status' },
        { op: 'set', key, value: '' },
        { op: 'get', key },
        { op: 'list', prefix: key },
        { op: 'remove', key },
      ]) {
        expect((await client.ask({ ...request, ...common })).ok, request.op).to.equal(true);
      }
    });

    it('wants either a key or a prefix to remove', async () => {
      const client = await connect();
      const at = room();
      await setAll(client, [at]);
      expectRefusal(await client.ask({ op: 'remove' }), 'BAD_REQUEST');
      expectRefusal(await client.ask({ op: 'remove', key: at, prefix: at }), 'BAD_REQUEST');
      expect((await client.ask({ op: 'get', key: at })).value).to.equal('v');
    });
  });
}
