import { expect } from 'chai';
import { type ClientError, connect, type LeaseStatus } from '../../client/client.ts';
import { all, failureOf, refusal, reply, scripted } from '../1-client/servers.ts';
import { eventually, RealCluster } from './real-cluster.ts';

describe('leases of the client', function () {
  this.timeout(90_000).slow(20_000);
  const real = RealCluster.forSuite();

  it('are granted, renewed, listed and revoked, and take their keys with them', async () => {
    const user = real.client();
    const { lease, ttl } = await user.grant(60);
    expect(ttl).to.equal(60);
    await user.set('/l/a', '1', { lease });
    expect(await user.get('/l/a')).to.include({ lease });
    expect(await user.renew(lease)).to.include({ lease, ttl: 60 });
    const mine = (await all<LeaseStatus>(user.leases())).find(one => one.lease === lease);
    expect(mine).to.include({ ttl: 60, keys: 1 });
    await user.revoke(lease);
    expect((await user.get('/l/a')).value).to.equal(null);
    expect(await failureOf<ClientError>(user.renew(lease))).to.include({ code: 'LEASE_NOT_FOUND' });
  });

  it('are listed over several pages', async () => {
    const user = real.client();
    const granted = await Promise.all(Array.from({ length: 1_100 }, () => user.grant(60)));
    const found = new Set((await all<LeaseStatus>(user.leases())).map(({ lease }) => lease));
    expect(granted.every(({ lease }) => found.has(lease))).to.equal(true);
    await Promise.all(granted.map(({ lease }) => user.revoke(lease)));
  });

  it('end when their owner no longer renews them, no sooner than their time', async () => {
    const [owner, user] = [real.client(), real.client()];
    const began = performance.now();
    const { lease } = await owner.grant(2);
    await owner.set('/l/left', '1', { lease });
    await eventually('the key is gone', async () => (await user.get('/l/left')).value === null);
    expect(performance.now() - began).to.be.above(2_000);
  });

  it('are renewed elsewhere when their node answers, but not with what it was asked for', async () => {
    const closing: { close(): Promise<void> }[] = [];
    try {
      const useless = await scripted(({ op, id }, socket) =>
        reply(socket, id, op === 'grant' ? { ok: true, lease: 1, ttl: 3 } : refusal('TIMEOUT', false, true)),
      );
      const other = await scripted(({ id }, socket) => reply(socket, id, { ok: true, lease: 1, ttl: 3 }));
      closing.push(useless, other);
      const user = connect([useless.address, other.address]);
      closing.unshift(user);
      const lease = await user.lease(3);
      await other.hears(1);
      expect(other.heard[0]).to.include({ op: 'renew', lease: 1 });
      expect(useless.heard.map(({ op }) => op)).to.deep.equal(['grant', 'renew']);
      expect(lease.isHeld).to.equal(true);
    } finally {
      for (const one of closing) await one.close();
    }
  });

  it('are told lost, before the cluster may end them, when no node can be reached', async () => {
    const user = real.client();
    const lease = await user.lease(3);
    const lost = new Promise<number>(resolve =>
      lease.lost.addEventListener('abort', () => resolve(performance.now())),
    );
    const paused = performance.now();
    for (const node of real.cluster.nodes) node.pause();
    expect((await lost) - paused, 'from the last renewal on, which was before').to.be.below(3_000);
    expect(lease.isHeld).to.equal(false);
    expect(lease.lost.reason).to.include({ code: 'LEASE_NOT_FOUND' });
  });

  it('are told lost when somebody else has revoked them', async () => {
    const [owner, user] = [real.client(), real.client()];
    const lease = await owner.lease(2);
    await user.revoke(lease.id);
    await eventually('it is lost', () => lease.lost.aborted);
    expect(lease.isHeld).to.equal(false);
    await lease.revoke();
  });

  it('end with their client', async () => {
    const [owner, user] = [real.client(), real.client()];
    const lease = await owner.lease(60);
    await owner.set('/l/closed', '1', { lease: lease.id });
    await owner.close();
    expect((await user.get('/l/closed')).value).to.equal(null);
  });
});
