import { expect } from 'chai';
import type { LineClient, Reply } from '../line-client.ts';
import { expectRefusal, type Subject, setAll, txn } from './subject.ts';

/** `watch` and `unwatch`. */
export function watches({ connect, room, exceptions }: Subject): void {
  describe('watches', () => {
    /** What a watch is told of keys up to a revision, without the reports that there was nothing. */
    async function told(client: LineClient, rev: number): Promise<Reply[]> {
      const pushes: Reply[] = [];
      while ((pushes.at(-1)?.rev ?? 0) < rev) {
        const push = await client.reply(15_000);
        expect(push, JSON.stringify(push)).to.not.have.property('id');
        if (push.progress !== true) pushes.push(push);
      }
      return pushes;
    }

    it('follow a prefix, a revision on each push, behind a reply that says from where', async () => {
      const [client, writer] = [await connect(), await connect()];
      const at = room();
      const mod = await setAll(writer, [`${at}before`, `${at.slice(0, -1)}`]);
      const reply = await client.ask({ op: 'watch', prefix: at, id: 'w' });
      expect(reply).to.deep.equal({ id: 'w', ok: true, rev: reply.rev, watch: 1 });
      expect(reply.rev).to.be.at.least(exceptions.linearizable === false ? 0 : mod);
      const next = mod + 1;
      await setAll(writer, [`${at}a`, `${at.slice(0, -1)}x`]);
      await writer.ask({ op: 'remove', prefix: at });
      await setAll(writer, [`${at}b`]);
      expect(await told(client, next + 3)).to.deep.equal([
        {
          watch: 1,
          rev: next,
          events: [{ type: 'set', key: `${at}a`, value: 'v', create: next, mod: next, version: 1 }],
        },
        {
          watch: 1,
          rev: next + 2,
          events: [
            { type: 'remove', key: `${at}a` },
            { type: 'remove', key: `${at}before` },
          ],
        },
        {
          watch: 1,
          rev: next + 3,
          events: [{ type: 'set', key: `${at}b`, value: 'v', create: next + 3, mod: next + 3, version: 1 }],
        },
      ]);
    });

    it('follow one key alone, with what was before on demand', async () => {
      const [client, writer] = [await connect(), await connect()];
      const key = `${room()}a`;
      const create = await setAll(writer, [key], 'one');
      await client.ask({ op: 'get', key }); // so that the node asked has it
      await client.ask({ op: 'watch', key, prev: true });
      await setAll(writer, [`${key}/below`]);
      await setAll(writer, [key], 'two');
      await writer.ask({ op: 'remove', key });
      await setAll(writer, [key], 'three');
      const [first, second, third] = (await told(client, create + 4)).map(({ events }) => events[0]);
      const one = { value: 'one', create, mod: create, version: 1 };
      const two = { value: 'two', create, mod: create + 2, version: 2 };
      expect(first).to.deep.equal({ type: 'set', key, ...two, prev: one });
      expect(second).to.deep.equal({ type: 'remove', key, prev: two });
      expect(third).to.include({ value: 'three', version: 1, prev: null });
    });

    it('begin in the past, at the very revision that is asked for, and go on into the present', async () => {
      const [client, writer] = [await connect(), await connect()];
      const at = room();
      const first = await setAll(writer, [`${at}0`]);
      const keys = Array.from({ length: 300 }, (_, n) => `${at}${n + 1}`);
      await setAll(writer, keys);
      const last = first + 300;
      for (const from of [first, first + 100, last]) {
        const watcher = await connect();
        await watcher.ask({ op: 'get', key: at }); // so that the node asked has it
        await watcher.ask({ op: 'watch', prefix: at, from });
        const revs = (await told(watcher, last)).map(({ rev }) => rev);
        expect(revs).to.deep.equal(Array.from({ length: last + 1 - from }, (_, n) => from + n));
      }
      await client.ask({ op: 'watch', prefix: at, from: last });
      const more = await setAll(writer, [`${at}more`]);
      expect((await told(client, more)).map(({ rev }) => rev)).to.deep.equal([last, more]);
    });

    it('show a transaction as one push, and what it did to a key once', async () => {
      const [client, writer] = [await connect(), await connect()];
      const at = room();
      const mod = await setAll(writer, [`${at}a`]);
      await client.ask({ op: 'get', key: at });
      await client.ask({ op: 'watch', prefix: at, from: mod + 1 });
      const { rev = 0 } = await writer.ask(
        txn([
          { op: 'set', key: `${at}b`, value: '1' },
          { op: 'set', key: `${at}b`, value: '2' },
          { op: 'remove', key: `${at}a` },
          { op: 'set', key: `${at}c`, value: '' },
          { op: 'remove', key: `${at}c` },
        ]),
      );
      expect((await told(client, rev))[0]?.events).to.deep.equal([
        { type: 'set', key: `${at}b`, value: '2', create: rev, mod: rev, version: 2 },
        { type: 'remove', key: `${at}a` },
        { type: 'remove', key: `${at}c` },
      ]);
    });

    it('tell of a key that one transaction sets and removes, to all who watch it, now or later', async () => {
      const [client, writer] = [await connect(), await connect()];
      const key = `${room()}a`;
      const mod = await setAll(writer, [`${key}/before`]);
      await client.ask({ op: 'get', key });
      await client.ask({ op: 'watch', key });
      await client.ask({ op: 'watch', prefix: key, prev: true });
      const { rev = 0, results } = await writer.ask(
        txn([
          { op: 'set', key, value: 'v' },
          { op: 'remove', key },
        ]),
      );
      expect([rev, results]).to.deep.equal([mod + 1, [{ mod: rev }, { removed: 1 }]]);
      const events = [{ type: 'remove', key }];
      const withPrev = [{ type: 'remove', key, prev: null }];
      expect([...(await told(client, rev)), ...(await told(client, rev))]).to.have.deep.members([
        { watch: 1, rev, events },
        { watch: 2, rev, events: withPrev },
      ]);
      for (const what of [{ key }, { prefix: key }]) {
        const late = await connect();
        await late.ask({ op: 'get', key });
        await late.ask({ op: 'watch', ...what, from: rev, prev: true });
        expect(await told(late, rev)).to.deep.equal([{ watch: 1, rev, events: withPrev }]);
      }
    });

    it('are several on one connection, each with a number of its own, until they are ended', async () => {
      const [client, writer] = [await connect(), await connect()];
      const at = room();
      const before = (await client.ask('status')).watches;
      expect(await client.ask({ op: 'watch', prefix: at })).to.include({ watch: 1 });
      expect(await client.ask({ op: 'watch', key: `${at}a` })).to.include({ watch: 2 });
      expect((await client.ask('status')).watches).to.equal(before + 2);
      await setAll(writer, [`${at}a`]);
      const pushes = await client.replies(2);
      expect(pushes.map(({ watch }) => watch)).to.have.members([1, 2]);
      const ended = await client.ask({ op: 'unwatch', watch: 1 });
      expect(ended).to.deep.equal({ ok: true, rev: ended.rev });
      await setAll(writer, [`${at}b`, `${at}a`]);
      expect((await client.reply()).watch).to.equal(2);
      expectRefusal(await client.ask({ op: 'unwatch', watch: 1 }), 'BAD_REQUEST');
      expect((await client.ask('status')).watches).to.equal(before + 1);
      expect(await client.ask({ op: 'watch', prefix: at })).to.include({ watch: 3 });
      await client.close();
      while ((await writer.ask('status')).watches > before) await writer.ask('ping');
    });

    it('begin behind the changes that were sent before them on the same connection', async () => {
      const client = await connect();
      const key = `${room()}a`;
      client.send({ op: 'set', key, value: 'v' }, { op: 'watch', key }, { op: 'set', key, value: 'w' });
      const lines = await client.replies(4);
      const push = lines.find(({ id, ok }) => id === undefined && ok === undefined);
      expect(push?.events).to.have.length(1);
      expect(push?.events[0]).to.include({ value: 'w' });
      expect(lines.slice(0, 2)).to.not.include(push);
    });

    it('are refused beyond the next revision', async () => {
      const client = await connect();
      const { rev = 0 } = await client.ask({ op: 'set', key: `${room()}a`, value: '' });
      const reply = await client.ask({ op: 'watch', prefix: '', from: rev + 1_000_000 });
      expect(expectRefusal(reply, 'FUTURE_REV').rev).to.be.at.least(
        exceptions.linearizable === false ? 0 : rev,
      );
    });

    it('show the cluster: first how it is, then what becomes of it', async () => {
      const client = await connect();
      expect(await client.ask({ op: 'watch', cluster: true })).to.include({ ok: true, watch: 1 });
      const { watch, events } = await client.reply();
      const { leader, term, members } = await client.ask('status');
      expect(watch).to.equal(1);
      expect(events).to.deep.equal([
        { type: 'leader', ...leader, term },
        {
          type: 'members',
          members: members.map(({ id, address, role }: Reply) => ({ id, address, role })),
        },
      ]);
    });

    it('are of a key, a prefix or the cluster, and of one of them', async () => {
      const client = await connect();
      for (const wrong of [
        {},
        { key: '/a', prefix: '/a' },
        { key: '/a', cluster: true },
        { cluster: false },
        { cluster: true, from: 1 },
        { cluster: true, prev: true },
        { key: '' },
        { prefix: '', from: -1 },
        { prefix: '', from: '1' },
        { prefix: '', prev: 1 },
      ]) {
        expectRefusal(await client.ask({ op: 'watch', ...wrong }), 'BAD_REQUEST');
      }
      for (const watch of [0, '1', null, 99]) {
        expectRefusal(await client.ask({ op: 'unwatch', watch }), 'BAD_REQUEST');
      }
      expectRefusal(await client.ask({ op: 'unwatch' }), 'BAD_REQUEST');
      expect(await client.ask({ op: 'watch', key: '/a' })).to.include({ watch: 1 });
    });

    it('end with a client that half-closes, which gets its replies and no more', async () => {
      const client = await connect();
      const { watches: before } = await (await connect()).ask('status');
      client.send({ op: 'watch', prefix: '' }, { op: 'get', key: '/a' });
      client.end();
      const replies = (await client.rest()).map(line => JSON.parse(line));
      expect(replies.filter(({ ok }) => ok)).to.have.length(2);
      expect((await (await connect()).ask('status')).watches).to.equal(before);
    });
  });
}
