import { expect } from 'chai';
import { expectRefusal, type Subject, txn } from './subject.ts';

/** `grant`, `renew`, `revoke`, `leases`, and what a lease does to keys. */
export function leases({ connect, room }: Subject): void {
  describe('leases', () => {
    it('are granted, renewed, shown with what they have left, and revoked with their keys', async () => {
      const client = await connect();
      const at = room();
      const granted = await client.ask({ op: 'grant', ttl: 60 });
      const { lease, rev = 0 } = granted;
      expect(granted).to.deep.equal({ ok: true, rev, lease, ttl: 60 });
      expect(lease).to.satisfy(Number.isSafeInteger);
      expect(await client.ask({ op: 'set', key: `${at}a`, value: 'v', lease })).to.include({ ok: true });
      expect(await client.ask({ op: 'get', key: `${at}a` })).to.include({ value: 'v', lease });
      expect(await client.ask({ op: 'renew', lease })).to.deep.equal({
        ok: true,
        rev: rev + 1,
        lease,
        ttl: 60,
      });
      const shown = await client.ask({ op: 'leases' });
      expect(shown).to.have.all.keys('ok', 'rev', 'leases', 'next');
      const mine = shown.leases.find((one: { lease: number }) => one.lease === lease);
      expect(mine).to.include({ lease, ttl: 60, keys: 1 });
      expect(mine.left).to.be.within(50, 60);
      const revoked = await client.ask({ op: 'revoke', lease });
      expect(revoked).to.deep.equal({ ok: true, rev: rev + 2, lease, ttl: 60, removed: 1 });
      expect(await client.ask({ op: 'get', key: `${at}a` })).to.include({ value: null, rev: rev + 2 });
      const { leases: left } = await client.ask({ op: 'leases', from: lease, limit: 1 });
      expect(left.map((one: { lease: number }) => one.lease)).to.not.include(lease);
    });

    it('let go of a key that is set without one', async () => {
      const client = await connect();
      const key = `${room()}a`;
      const { lease } = await client.ask({ op: 'grant', ttl: 60 });
      await client.ask({ op: 'set', key, value: 'v', lease });
      await client.ask({ op: 'set', key, value: 'w' });
      expect(await client.ask({ op: 'get', key })).to.not.have.property('lease');
      expect(await client.ask({ op: 'revoke', lease })).to.include({ removed: 0 });
      expect((await client.ask({ op: 'get', key })).value).to.equal('w');
    });

    it('end by themselves, neither before their time nor long after, and take their keys with them', async () => {
      const client = await connect();
      const key = `${room()}a`;
      // They are counted from when the leader took the last renewal: no earlier than it was sent.
      const { lease } = await client.ask({ op: 'grant', ttl: 1 });
      await client.ask({ op: 'set', key, value: 'v', lease });
      const sent = performance.now();
      expect((await client.ask({ op: 'renew', lease })).ok).to.equal(true);
      const answered = performance.now();
      let value: string | null = 'v';
      while (value !== null) {
        ({ value } = await client.ask({ op: 'get', key }));
        if (value === null) expect(performance.now() - sent, 'too early').to.be.at.least(1_000);
        else expect(performance.now() - answered, 'too late').to.be.lessThan(3_000);
      }
      expect(expectRefusal(await client.ask({ op: 'renew', lease }), 'LEASE_NOT_FOUND')).to.include({
        lease,
      });
    });

    it('are refused where there are none, and nothing is done', async () => {
      const client = await connect();
      const key = `${room()}a`;
      const lease = 2 ** 53 - 1;
      for (const request of [
        { op: 'renew', lease },
        { op: 'revoke', lease },
        { op: 'set', key, value: '', lease },
        txn([
          { op: 'set', key, value: '' },
          { op: 'set', key, value: '', lease },
        ]),
      ]) {
        expect(expectRefusal(await client.ask(request), 'LEASE_NOT_FOUND')).to.include({ lease });
      }
      expect((await client.ask({ op: 'get', key })).value).to.equal(null);
    });

    it('last from a second to a year, and are named by integers', async () => {
      const client = await connect();
      for (const request of [
        { op: 'grant', ttl: 0 },
        { op: 'grant', ttl: 1.5 },
        { op: 'grant', ttl: 31_536_001 },
        { op: 'grant', ttl: '5' },
        { op: 'grant' },
        { op: 'renew' },
        { op: 'renew', lease: '1' },
        { op: 'revoke', lease: 0 },
        { op: 'set', key: '/a', value: '', lease: null },
        { op: 'leases', limit: 0 },
      ]) {
        expectRefusal(await client.ask(request), 'BAD_REQUEST');
      }
      const { lease } = await client.ask({ op: 'grant', ttl: 31_536_000 });
      expect((await client.ask({ op: 'revoke', lease })).ok).to.equal(true);
    });
  });
}
