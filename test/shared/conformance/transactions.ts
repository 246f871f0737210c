import { expect } from 'chai';
import { expectRefusal, type Subject, setAll, txn } from './subject.ts';

/** `txn`. */
export function transactions({ connect, room }: Subject): void {
  describe('transactions', () => {
    it('does several operations in one step, and answers with their results in order', async () => {
      const client = await connect();
      const at = room();
      const mod = await setAll(client, [`${at}a`, `${at}b`]);
      const reply = await client.ask(
        txn(
          [
            { op: 'get', key: `${at}a` },
            { op: 'set', key: `${at}a`, value: 'new', if: { version: 1 }, prev: true },
            { op: 'remove', prefix: `${at}b` },
            { op: 'list', prefix: at, values: true },
          ],
          { if: { key: `${at}b`, exists: true } },
        ),
      );
      const before = { value: 'v', create: mod - 1, mod: mod - 1, version: 1 };
      const after = { value: 'new', create: mod - 1, mod: mod + 1, version: 2 };
      expect(reply).to.deep.equal({
        ok: true,
        rev: mod + 1,
        succeeded: true,
        results: [
          { key: `${at}a`, ...before },
          { mod: mod + 1, prev: before },
          { removed: 1 },
          { entries: [{ key: `${at}a`, ...after }], next: null },
        ],
      });
      expect(await client.ask({ op: 'get', key: `${at}a` })).to.include({ value: 'new', mod: mod + 1 });
    });

    it('takes `else` when a condition does not hold', async () => {
      const client = await connect();
      const at = room();
      const mod = await setAll(client, [`${at}a`]);
      const conditions = {
        if: [
          { key: `${at}a`, mod },
          { key: `${at}b`, exists: true },
        ],
      };
      const never = [{ op: 'set', key: `${at}never`, value: '' }];
      const reply = await client.ask(txn(never, { ...conditions, else: [{ op: 'get', key: `${at}never` }] }));
      expect(reply).to.include({ ok: true, rev: mod, succeeded: false });
      expect(reply.results[0]).to.include({ value: null });
      expect(await client.ask(txn(never, conditions))).to.deep.equal({
        ...{ ok: true, rev: mod, succeeded: false, results: [] },
      });
    });

    it('does nothing at all when one of its operations fails, and says which', async () => {
      const client = await connect();
      const at = room();
      const mod = await setAll(client, [`${at}a`]);
      const reply = await client.ask(
        txn([
          { op: 'set', key: `${at}b`, value: '' },
          { op: 'remove', key: `${at}a`, if: { mod: mod + 1 } },
        ]),
      );
      expect(expectRefusal(reply, 'CONFLICT')).to.include({ key: `${at}a`, mod, index: 1 });
      expect((await client.ask({ op: 'list', prefix: at })).keys).to.deep.equal([`${at}a`]);
      expect((await client.ask({ op: 'get', key: `${at}a` })).rev).to.equal(mod);
    });

    it('takes up to 128 operations in each list, and not one more', async () => {
      const client = await connect();
      const at = room();
      const ops = Array.from({ length: 128 }, (_, n) => ({ op: 'set', key: `${at}${n}`, value: '' }));
      expect((await client.ask(txn(ops, { else: ops }))).results).to.have.length(128);
      for (const wrong of [
        txn([...ops, ...ops.slice(0, 1)]),
        txn([], { else: [...ops, ...ops.slice(0, 1)] }),
      ]) {
        expect(expectRefusal(await client.ask(wrong), 'BAD_REQUEST')).to.include({ limit: 128 });
      }
      expect((await client.ask({ op: 'list', prefix: at })).keys).to.have.length(128);
    });

    it('refuses a result that fits no line, and then has done nothing', async () => {
      const client = await connect();
      const at = room();
      const mod = await setAll(client, [`${at}a`, `${at}b`], 'x'.repeat(524_288));
      const gets = ['a', 'b'].map(key => ({ op: 'get', key: at + key }));
      const reply = await client.ask(txn([{ op: 'set', key: `${at}c`, value: '' }, ...gets]));
      expect(expectRefusal(reply, 'TOO_LARGE')).to.include({ index: 2 });
      expect(await client.ask({ op: 'get', key: `${at}c` })).to.include({ value: null, rev: mod });
      await client.ask({ op: 'remove', prefix: at });
    });

    it('refuses what is no list of operations on keys, by the place where it stands', async () => {
      const client = await connect();
      const key = `${room()}a`;
      const set = { op: 'set', key, value: '' };
      for (const [request, place] of [
        [{ op: 'txn' }, '"then"'],
        [txn({}), '"then"'],
        [txn([set, null]), '"then[1]"'],
        [txn([set, { op: 'nope', key }]), '"then[1].op"'],
        [txn([set, { op: 'txn', key }]), '"then[1].op"'],
        [txn([set, { key }]), '"then[1].op"'],
        [txn([set, { op: 'get' }]), '"then[1]"'],
        [txn([set, { op: 'set', key }]), '"value"'],
        [txn([set, { op: 'set', key: '', value: '' }]), '"then[1].key"'],
        [txn([set, { op: 'set', key, value: 1 }]), '"then[1].value"'],
        [txn([set, { op: 'set', key, value: '', id: 1 }]), '"id"'],
        [txn([set, { op: 'get', key, read: 'stale' }]), '"read"'],
        [txn([set, { op: 'set', key, value: '', if: {} }]), '"then[1].if"'],
        [txn([set, { op: 'set', key, value: '', session: 1, seq: 1 }]), '"session"'],
        [txn([set, { op: 'remove' }]), 'then[1]'],
        [txn([set, { op: 'remove', key, prefix: key }]), 'then[1]'],
        [txn([set, { op: 'remove', prefix: key, if: { mod: 1 } }]), 'then[1]'],
        [txn([set], { else: 1 }), '"else"'],
        [txn([set], { if: { mod: 1 } }), '"key"'],
        [txn([set], { if: [] }), '"if"'],
      ] as const) {
        const error = expectRefusal(await client.ask(request), 'BAD_REQUEST');
        expect(error.message, JSON.stringify(request)).to.contain(place);
      }
      const misspelt = await client.ask(txn([set, { ...set, vlaue: '' }]));
      expect(expectRefusal(misspelt, 'BAD_REQUEST')).to.include({ field: 'then[1].vlaue' });
      const long = txn([{ op: 'get', key: 'k'.repeat(1_025) }]);
      expect(expectRefusal(await client.ask(long), 'TOO_LARGE').message).to.contain('then[0].key');
      expect(await client.ask({ op: 'get', key })).to.include({ value: null });
    });

    it('takes keys that JavaScript has a meaning for', async () => {
      const client = await connect();
      const line = '{"op":"txn","then":[{"op":"get","key":"__proto__"},{"op":"get","key":"constructor"}]}';
      expect((await client.ask(line)).results).to.have.length(2);
      const wrong = '{"op":"txn","then":[{"op":"get","key":"a","__proto__":1}]}';
      expectRefusal(await client.ask(wrong), 'BAD_REQUEST');
    });
  });
}
