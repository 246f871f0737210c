import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { connect } from '../../client/client.ts';
import { Cluster } from '../../lab/cluster.ts';
import { TRANSPORTS } from '../../src/node/transports.ts';
import { askOf, eventually, leaderOf } from '../shared/cluster.ts';

for (const transport of TRANSPORTS)
  describe(`stage 8: a rolling restart over ${transport}`, function () {
    this.timeout(120_000);
    let cluster: Cluster;
    let data: string;
    const ask = askOf(() => cluster);

    beforeEach(async () => {
      data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
      cluster = await Cluster.start({ stage: 8, nodes: 3, data, flags: ['--transport', transport] });
    });
    afterEach(async () => {
      await cluster.stop();
      rmSync(data, { recursive: true, force: true });
    });

    it('hands leadership over before the leader goes, and gives no client an error', async () => {
      await leaderOf(cluster.ids, ask);
      // Without a session nothing is repeated whose outcome is unknown: each answer has to be plain.
      const client = connect(cluster.addresses, { session: false });
      let isOver = false;
      let written = 0;
      const writing = (async () => {
        while (!isOver) {
          await client.set(`/w/${written}`, String(written));
          expect((await client.get(`/w/${written}`)).value).to.equal(String(written));
          written += 1;
          await pause(5);
        }
      })();
      writing.catch(() => {});
      try {
        for (const id of cluster.ids) {
          const leader = await leaderOf(cluster.ids, ask);
          const next = id === cluster.ids.at(-1) ? leader : id;
          const others = cluster.ids.filter(other => other !== next);
          const { term } = await ask(leader, { op: 'status' });
          await cluster.node(next).stop();
          const after = await ask(await leaderOf(others, ask), { op: 'status' });
          if (next === leader) expect(after.term).to.equal(term + 1);
          else expect(after).to.include({ node: leader, term });
          await cluster.node(next).start();
          await eventually(`${next} is back`, async () => {
            const { members } = await ask(after.node, { op: 'status' });
            return members.every(({ active }: { active: boolean }) => active);
          });
        }
      } finally {
        isOver = true;
        await writing.finally(() => client.close());
      }
      expect(written).to.be.greaterThan(10);
      const [any = ''] = cluster.ids;
      expect((await ask(any, { op: 'remove', prefix: '/w/' })).removed).to.equal(written);
    });

    it('of all at once loses nothing', async () => {
      const leader = await leaderOf(cluster.ids, ask);
      await eventually(
        'it takes changes',
        async () => (await ask(leader, { op: 'set', key: '/a', value: '1' })).ok,
      );
      await Promise.all(cluster.nodes.map(node => node.restart()));
      await leaderOf(cluster.ids, ask);
      expect((await ask(leader, { op: 'get', key: '/a' })).value).to.equal('1');
    });
  });
