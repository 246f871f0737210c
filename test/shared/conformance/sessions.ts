import { expect } from 'chai';
import { expectRefusal, type Subject } from './subject.ts';

/** `session`, and changes that carry `session` and `seq`. */
export function sessions({ connect, room }: Subject): void {
  describe('sessions', () => {
    it('live an hour after their last use unless told', async () => {
      const client = await connect();
      const opened = await client.ask({ op: 'session' });
      expect(opened).to.deep.equal({ ok: true, rev: opened.rev, session: opened.session, ttl: 3_600 });
      expect(opened.session).to.satisfy(Number.isSafeInteger);
      expect(await client.ask({ op: 'session', ttl: 5 })).to.include({ ttl: 5, session: opened.session + 1 });
    });

    it('make a change happen once: repeated, the first result comes back', async () => {
      const client = await connect();
      const key = `${room()}a`;
      const { session } = await client.ask({ op: 'session' });
      const change = { op: 'set', key, value: 'v', prev: true, session, seq: 1 };
      const first = await client.ask(change);
      expect(first).to.include({ ok: true, prev: null });
      expect(await client.ask({ ...change, id: 'again' })).to.deep.equal({ ...first, id: 'again' });
      const [one, other] = [await connect(), await connect()];
      expect(await one.ask({ ...change, timeout: 2_000 })).to.deep.equal(first);
      expect(await other.ask({ seq: 1, session, prev: true, value: 'v', key, op: 'set' })).to.deep.equal(
        first,
      );
      expect(await client.ask({ op: 'get', key })).to.include({ version: 1 });
    });

    it('give back a refusal, too', async () => {
      const client = await connect();
      const key = `${room()}a`;
      const { session } = await client.ask({ op: 'session' });
      const change = { op: 'set', key, value: 'v', if: { exists: true }, session, seq: 1 };
      const first = await client.ask(change);
      expectRefusal(first, 'CONFLICT');
      await client.ask({ op: 'set', key, value: 'there' });
      expect(await client.ask(change)).to.deep.equal(first);
    });

    it('refuse another change under the same number', async () => {
      const client = await connect();
      const key = `${room()}a`;
      const { session } = await client.ask({ op: 'session' });
      await client.ask({ op: 'set', key, value: 'v', session, seq: 7 });
      const reply = await client.ask({ op: 'set', key, value: 'w', session, seq: 7 });
      expect(expectRefusal(reply, 'BAD_REQUEST').message).to.contain('7');
      expect((await client.ask({ op: 'get', key })).value).to.equal('v');
    });

    it('remember their latest 1,024 results, and carry out nothing older', async () => {
      const client = await connect();
      const key = `${room()}a`;
      const { session } = await client.ask({ op: 'session' });
      const change = (seq: number) => ({ op: 'set', key, value: String(seq), session, seq, id: seq });
      client.send(...Array.from({ length: 1_025 }, (_, n) => change(n + 1)));
      for (const reply of await client.replies(1_025, 20_000)) expect(reply.ok).to.equal(true);
      const { version } = await client.ask({ op: 'get', key });
      expect((await client.ask(change(2))).ok).to.equal(true);
      expectRefusal(await client.ask(change(1)), 'SESSION_EXPIRED');
      expect((await client.ask({ op: 'get', key })).version).to.equal(version);
    });

    it('that are unknown are refused, and the change is not carried out', async () => {
      const client = await connect();
      const key = `${room()}a`;
      const reply = await client.ask({ op: 'set', key, value: 'v', session: 2 ** 53 - 1, seq: 1 });
      expectRefusal(reply, 'SESSION_EXPIRED');
      expect((await client.ask({ op: 'get', key })).value).to.equal(null);
    });

    it('end when they are not used for their time', async () => {
      const client = await connect();
      const key = `${room()}a`;
      const { session } = await client.ask({ op: 'session', ttl: 1 });
      const change = { op: 'set', key, value: 'v', session, seq: 1 };
      expect((await client.ask(change)).ok).to.equal(true);
      // A lease of the same time that is granted later ends no earlier, and can be looked at without being used.
      const { lease } = await client.ask({ op: 'grant', ttl: 1 });
      for (let left = [lease]; left.length > 0; ) {
        const { leases } = await client.ask({ op: 'leases', from: lease });
        left = leases.filter((one: { lease: number }) => one.lease === lease);
      }
      expectRefusal(await client.ask(change), 'SESSION_EXPIRED');
      expect((await client.ask({ op: 'get', key })).version).to.equal(1);
    });

    it('come with a number, and the number with a session', async () => {
      const client = await connect();
      const key = `${room()}a`;
      for (const wrong of [{ session: 1 }, { seq: 1 }, { session: 1, seq: 0 }, { session: '1', seq: 1 }]) {
        expectRefusal(await client.ask({ op: 'set', key, value: '', ...wrong }), 'BAD_REQUEST');
      }
      expectRefusal(await client.ask({ op: 'get', key, session: 1, seq: 1 }), 'BAD_REQUEST');
    });
  });
}
