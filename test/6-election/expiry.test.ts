import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { Cluster } from '../../lab/cluster.ts';
import { askOf, eventually, leaderOf } from '../shared/cluster.ts';
import type { Reply } from '../shared/line-client.ts';

const TTL = 3;

describe('leases and sessions of real nodes', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let data: string;
  let leader: string;
  const ask = askOf(() => cluster);
  const others = () => cluster.ids.filter(id => id !== leader);

  /** Asks a node again and again until it can answer for the cluster. */
  async function answered(id: string, request: object): Promise<Reply> {
    let reply: Reply | undefined;
    await eventually(`${id} answers`, async () => {
      reply = await ask(id, request).catch(() => undefined);
      return reply !== undefined && (reply.ok || reply.error?.retry === false);
    });
    return reply ?? { ok: false };
  }

  /** Waits until a key is gone; returns when it was last seen, and first missed, on the clock of this process. */
  async function gone(id: string, key: string): Promise<{ readonly seen: number; readonly missed: number }> {
    for (let seen = performance.now(); ; await pause(20)) {
      const asked = performance.now();
      const { ok, value } = await ask(id, { op: 'get', key }).catch(() => ({ ok: false, value: undefined }));
      if (!ok) continue;
      if (value === null) return { seen, missed: performance.now() };
      seen = asked;
    }
  }

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    cluster = await Cluster.start({ stage: 6, nodes: 3, data });
    leader = await leaderOf(cluster.ids, ask);
  });
  afterEach(async () => {
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  });

  async function hashesAgree(): Promise<void> {
    await eventually('all have applied the same, to the same effect', async () => {
      const [first, ...rest] = await Promise.all(cluster.ids.map(id => ask(id, { op: 'hash' })));
      return rest.every(({ applied, hash }) => applied === first?.applied && hash === first?.hash);
    });
  }

  it('keep a lease for its time across the death of its leader, and no longer', async () => {
    const [survivor = ''] = others();
    const { lease } = await answered(leader, { op: 'grant', ttl: TTL });
    await answered(leader, { op: 'set', key: '/leased', value: '', lease });
    const sent = performance.now();
    expect(await answered(survivor, { op: 'renew', lease })).to.include({ ok: true });
    const renewed = performance.now();
    await cluster.node(leader).kill();
    const { seen, missed } = await gone(survivor, '/leased');
    expect(missed - sent, 'too early').to.be.at.least(TTL * 1_000);
    expect(seen - renewed, 'too late').to.be.lessThan(TTL * 1_000 + 2_000);
    await cluster.node(leader).restart();
    await hashesAgree();
  });

  it('go on with a lease that is renewed while its leader sleeps, and when it wakes', async () => {
    const [survivor = ''] = others();
    // Long enough for an election on a machine that is busy.
    const ttl = 2 * TTL;
    const { lease } = await answered(survivor, { op: 'grant', ttl });
    await answered(survivor, { op: 'set', key: '/leased', value: '', lease });
    cluster.node(leader).pause();
    const end = performance.now() + ttl * 1_000 + 2_000;
    // What is passed on to a leader that sleeps is not answered: it has to be asked again before the time is up.
    const renewal = { op: 'renew', lease, timeout: 500 };
    for (; performance.now() < end; await pause(100))
      expect(await answered(survivor, renewal)).to.include({ ok: true });
    cluster.node(leader).resume();
    for (const id of cluster.ids) {
      expect(await answered(id, { op: 'get', key: '/leased' }), id).to.include({ value: '', lease });
    }
    const sent = performance.now();
    await answered(leader, renewal);
    const { missed } = await gone(leader, '/leased');
    expect(missed - sent, 'too early').to.be.at.least(ttl * 1_000);
    await hashesAgree();
  });

  it('keep what is leased while nobody can decide, and end it when somebody can', async () => {
    const { lease } = await answered(leader, { op: 'grant', ttl: 1 });
    await answered(leader, { op: 'set', key: '/leased', value: '', lease });
    for (const id of others()) cluster.node(id).pause();
    await eventually('the lease has outlived its time', async () => {
      const { role } = await ask(leader, { op: 'status' });
      return role !== 'leader';
    });
    expect(await ask(leader, { op: 'get', key: '/leased', read: 'stale' })).to.include({ value: '', lease });
    for (const id of others()) cluster.node(id).resume();
    await gone(leader, '/leased');
    await hashesAgree();
  });

  it('do a change once, whichever nodes it is sent to and whoever leads', async () => {
    const { session } = await answered(leader, { op: 'session' });
    const change = { op: 'set', key: '/once', value: 'v', prev: true, session, seq: 1 };
    const first = await answered(leader, change);
    expect(first).to.include({ ok: true, prev: null });
    for (const id of cluster.ids) expect(await answered(id, change), id).to.deep.equal(first);
    await cluster.node(leader).kill();
    for (const id of others()) expect(await answered(id, change), id).to.deep.equal(first);
    await cluster.node(leader).restart();
    await Promise.all(cluster.nodes.map(node => node.kill()));
    await Promise.all(cluster.nodes.map(node => node.restart()));
    expect(await answered('n1', change)).to.deep.equal(first);
    expect(await answered('n1', { op: 'get', key: '/once' })).to.include({ version: 1 });
    await hashesAgree();
  });
});
