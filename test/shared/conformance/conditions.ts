import { expect } from 'chai';
import type { LineClient } from '../line-client.ts';
import { expectRefusal, type Subject, setAll } from './subject.ts';

/** `if`, in each of its kinds. */
export function conditions({ connect, room }: Subject): void {
  describe('conditions', () => {
    /** A key that has been set twice: created at `create`, now at `mod`, at version 2, with the value `here`. */
    async function given(client: LineClient) {
      const key = `${room()}key`;
      const create = await setAll(client, [key], 'first');
      const mod = await setAll(client, [key], 'here');
      return { key, create, mod };
    }

    it('holds for each kind that is true of the key', async () => {
      const client = await connect();
      const { key, create, mod } = await given(client);
      const absent = `${key}/absent`;
      for (const condition of [
        { mod },
        { create },
        { version: 2 },
        { value: 'here' },
        { exists: true },
        { mod, create, version: 2, value: 'here', exists: true },
        [{ mod }, { create }],
        { key: absent, absent: true },
        { key: absent, mod: 0 },
        { key: absent, create: 0 },
        { key: absent, version: 0 },
      ]) {
        // It takes the condition and changes nothing, so that each has the same key before it.
        const reply = await client.ask({
          op: 'remove',
          key: `${key}/none`,
          ...{ if: ownKey(condition, key) },
        });
        expect(reply, JSON.stringify(condition)).to.deep.equal({ ok: true, rev: mod, removed: 0 });
      }
      expect(await client.ask({ op: 'set', key, value: 'new', if: { mod } })).to.include({ ok: true });
    });

    it('fails for each kind that is not, changes nothing, and says the key and its mod', async () => {
      const client = await connect();
      const { key, create, mod } = await given(client);
      for (const condition of [
        { mod: mod - 1 },
        { mod: 0 },
        { create: mod },
        { version: 1 },
        { value: 'first' },
        { value: '' },
        { absent: true },
        { mod, version: 1 },
        { exists: true, absent: true },
        [{ mod }, { create: create - 1 }],
      ]) {
        for (const change of [
          { op: 'set', key, value: 'never' },
          { op: 'remove', key },
        ]) {
          const error = expectRefusal(await client.ask({ ...change, if: condition }), 'CONFLICT');
          expect(error, JSON.stringify(condition)).to.include({ key, mod });
          expect(error.message).to.contain(key);
        }
      }
      expect(await client.ask({ op: 'get', key })).to.include({ value: 'here', mod, version: 2, rev: mod });
    });

    it('fails on an absent key with a mod of 0', async () => {
      const client = await connect();
      const key = `${room()}absent`;
      for (const condition of [{ exists: true }, { mod: 1 }, { version: 1 }, { create: 1 }, { value: '' }]) {
        const reply = await client.ask({ op: 'set', key, value: 'never', if: condition });
        expect(expectRefusal(reply, 'CONFLICT'), JSON.stringify(condition)).to.include({ key, mod: 0 });
      }
      expect(await client.ask({ op: 'set', key, value: 'v', if: { absent: true } })).to.include({ ok: true });
    });

    it('checks a write against another key, such as the lock it is made under', async () => {
      const client = await connect();
      const { key: lock, create, mod } = await given(client);
      const key = `${room()}data`;
      const held = { op: 'set', key, value: 'a', if: { key: lock, create } };
      expect(await client.ask(held)).to.include({ ok: true });
      await client.ask({ op: 'remove', key: lock });
      await client.ask({ op: 'set', key: lock, value: 'another holder' });
      const error = expectRefusal(await client.ask(held), 'CONFLICT');
      expect(error.key).to.equal(lock);
      expect(error.mod).to.be.greaterThan(mod);
    });

    it('names the first key of a list that fails', async () => {
      const client = await connect();
      const at = room();
      const mod = await setAll(client, [`${at}a`, `${at}b`, `${at}c`]);
      const list = [
        { key: `${at}a`, exists: true },
        { key: `${at}b`, mod: mod + 7 },
        { key: `${at}c`, absent: true },
      ];
      const reply = await client.ask({ op: 'remove', prefix: at, if: list });
      expect(expectRefusal(reply, 'CONFLICT')).to.include({ key: `${at}b`, mod: mod - 1 });
      expect((await client.ask({ op: 'list', prefix: at })).keys).to.have.length(3);
    });

    it('refuses an empty condition, an unknown one, and one without a key beside a prefix', async () => {
      const client = await connect();
      const { key, mod } = await given(client);
      for (const condition of [{}, [], [{}], { key }, [{ mod }, { key }], { rev: 1 }, { __proto__x: 1 }]) {
        const reply = await client.ask({ op: 'set', key, value: 'never', if: condition });
        expect(expectRefusal(reply, 'BAD_REQUEST').message, JSON.stringify(condition)).to.contain('"if');
      }
      const byPrefix = await client.ask({ op: 'remove', prefix: key, if: { mod } });
      expect(expectRefusal(byPrefix, 'BAD_REQUEST').message).to.contain('"key"');
      expect((await client.ask({ op: 'get', key })).mod).to.equal(mod);
    });
  });
}

/** The condition about this key, unless it names one. */
function ownKey(condition: object | readonly object[], key: string): object {
  if (Array.isArray(condition)) return condition.map(item => ownKey(item, key));
  return { key, ...condition };
}
