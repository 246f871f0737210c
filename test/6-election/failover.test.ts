import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { connect } from '../../client/client.ts';
import { Cluster } from '../../lab/cluster.ts';
import { STAGES } from '../../stages/stages.ts';
import { askOf, eventually, leaderOf } from '../shared/cluster.ts';

/** How often a leader is killed, and at which stage, by how the nodes speak to each other. */
const RUNS = {
  lines: { stage: 6, kills: 8 },
  grpc: { stage: STAGES.at(-1)?.number ?? 6, kills: 3 },
} as const;

for (const [transport, { stage, kills }] of Object.entries(RUNS))
  describe(`five real nodes over ${transport}`, function () {
    this.timeout(180_000);
    let cluster: Cluster;
    let data: string;
    const ask = askOf(() => cluster);

    beforeEach(async () => {
      data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
      cluster = await Cluster.start({ stage, nodes: 5, data, flags: ['--transport', transport] });
    });
    afterEach(async () => {
      await cluster.stop();
      rmSync(data, { recursive: true, force: true });
    });

    async function hashesAgree(): Promise<void> {
      await eventually('all have applied the same, to the same effect', async () => {
        const hashes = await Promise.all(cluster.ids.map(id => ask(id, { op: 'hash' })));
        const [first] = hashes;
        return hashes.every(({ applied, hash }) => applied === first?.applied && hash === first?.hash);
      });
    }

    it(`keep every acknowledged write while their leader is killed ${kills} times`, async () => {
      const client = connect(cluster.addresses);
      const acknowledged: number[] = [];
      let isDone = false;
      const write = async (number: number) => {
        try {
          await client.set(`/written/${number}`, `${number}`, { timeout: 5_000 });
          acknowledged.push(number);
        } catch {
          // Not acknowledged: it may be there or not.
        }
      };
      const writing = (async () => {
        for (let number = 0; !isDone; number += 4) {
          await Promise.all([0, 1, 2, 3].map(offset => write(number + offset)));
          await pause(10);
        }
      })();
      for (let kill = 0; kill < kills; kill += 1) {
        const leader = await leaderOf(cluster.ids, ask);
        await cluster.node(leader).kill();
        const before = acknowledged.length;
        await eventually('writes succeed again', () => acknowledged.length > before + 8);
        await cluster.node(leader).restart();
      }
      isDone = true;
      await writing;
      const found = new Map<string, string | null>();
      for await (const { key, value } of client.list('/written/', { values: true })) found.set(key, value);
      await client.close();
      const lost = acknowledged.filter(number => found.get(`/written/${number}`) !== `${number}`);
      expect(lost).to.deep.equal([]);
      await hashesAgree();
    });

    // What follows asks nothing of how messages travel.
    if (transport !== 'lines') return;

    it('go on when any two are killed, and stand still, truthfully, when three are', async () => {
      const leader = await leaderOf(cluster.ids, ask);
      const [second, third, fourth] = cluster.ids.filter(id => id !== leader);
      const rest = cluster.ids.filter(id => ![leader, second, third].includes(id));
      const [last = ''] = rest.filter(id => id !== fourth);
      await ask(leader, { op: 'set', key: '/a', value: '1' });
      for (const id of [leader, second ?? '']) await cluster.node(id).kill();
      const remaining = cluster.ids.filter(id => id !== leader && id !== second);
      await leaderOf(remaining, ask);
      expect(await ask(last, { op: 'set', key: '/a', value: '2' })).to.include({ ok: true });
      await cluster.node(third ?? '').kill();
      await eventually('no leader is known any more', async () => {
        const { error } = await ask(last, { op: 'get', key: '/a' });
        return error?.code === 'NO_LEADER';
      });
      // However short its time, a change is told that there is no leader, and not that nobody knows what became of it.
      for (const timeout of [700, 30]) {
        const { error } = await ask(last, { op: 'set', key: '/a', value: '3', timeout });
        expect(error).to.include({ code: 'NO_LEADER', definite: true, retry: true });
      }
      expect(await ask(last, { op: 'get', key: '/a', read: 'stale' })).to.include({ value: '2' });
      await cluster.node(leader).restart();
      await leaderOf(
        cluster.ids.filter(id => id !== second && id !== third),
        ask,
      );
      expect(await ask(leader, { op: 'get', key: '/a' })).to.include({ value: '2' });
    });

    it('lose nothing when all are killed at once', async () => {
      const leader = await leaderOf(cluster.ids, ask);
      for (let number = 0; number < 20; number += 1) {
        expect((await ask(leader, { op: 'set', key: `/a/${number}`, value: `${number}` })).ok).to.equal(true);
      }
      await Promise.all(cluster.nodes.map(node => node.kill()));
      await Promise.all(cluster.nodes.map(node => node.restart()));
      await leaderOf(cluster.ids, ask);
      const { keys } = await ask('n3', { op: 'list', prefix: '/a/' });
      expect(keys).to.have.length(20);
      await hashesAgree();
    });
  });
