import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { connect } from '../../client/client.ts';
import { Cluster } from '../../lab/cluster.ts';
import { askOf, eventually, leaderOf } from '../shared/cluster.ts';

/** Entries after which the nodes of this test compact, and what may be left of a log then: as many again, and a tail. */
const COMPACT = 500;
const MOST_ENTRIES = 3 * COMPACT + 1_000;

describe('five real nodes under steady writes', function () {
  this.timeout(240_000);
  let cluster: Cluster;
  let data: string;
  const ask = askOf(() => cluster);

  before(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    cluster = await Cluster.start({ nodes: 5, data, flags: ['--compact-entries', String(COMPACT)] });
  });
  after(async () => {
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  });

  it('are replaced one after the other with kills in between: nothing acknowledged is lost, logs stay bounded', async () => {
    const founders = [...cluster.ids];
    let client = connect(cluster.addresses);
    const acknowledged = new Map<string, string>();
    let isDone = false;
    const writing = Promise.all(
      [0, 1, 2, 3].map(async writer => {
        for (let number = 0; !isDone; number += 1) {
          const key = `/written/${writer}/${number % 400}`;
          try {
            await client.set(key, String(number), { timeout: 5_000 });
            acknowledged.set(key, String(number));
          } catch {
            acknowledged.delete(key); // the old value may stand, or the new one
          }
          await pause(5);
        }
      }),
    );
    for (const [round, id] of founders.entries()) {
      const joined = await cluster.add();
      // A client knows those that it was given, and leaders that it was told of: of the founders none will be left.
      const before = client;
      client = connect(cluster.addresses);
      await before.close();
      // Every other time the node that goes is dead already, and each time the leader dies beside it.
      if (round % 2 === 0) await cluster.node(id).kill();
      await cluster.remove(id);
      const leader = await leaderOf(cluster.ids, ask);
      await cluster.node(leader).kill();
      const others = cluster.ids.filter(other => other !== leader);
      await leaderOf(others, ask);
      await cluster.node(leader).restart();
      await eventually(`${joined.id} and the others have caught up`, async () => {
        const statuses = await Promise.all(cluster.ids.map(other => ask(other, { op: 'status' })));
        const most = Math.max(...statuses.map(({ commit }) => commit));
        return statuses.every(({ applied }) => most - applied < 200);
      });
    }
    // However slow the machine: for as long as there is more from time to time.
    const lastEntry = async () => (await ask(cluster.ids[0] ?? '', { op: 'status' })).log.last as number;
    for (let last = await lastEntry(); last <= MOST_ENTRIES; ) {
      const before = last;
      await eventually(`more than ${before} entries were written`, async () => {
        last = await lastEntry();
        return last > before + 50;
      });
    }
    isDone = true;
    await writing;
    expect(cluster.ids).to.deep.equal(['n6', 'n7', 'n8', 'n9', 'n10']);
    await client.close();

    const now = connect(cluster.addresses);
    const found = new Map<string, string | null>();
    for await (const { key, value } of now.list('/written/', { values: true })) found.set(key, value);
    await now.close();
    const lost = [...acknowledged].filter(([key, value]) => found.get(key) !== value);
    expect(lost).to.deep.equal([]);
    expect(acknowledged.size).to.be.greaterThan(500);
    await eventually('all have applied the same, to the same effect', async () => {
      const hashes = await Promise.all(cluster.ids.map(id => ask(id, { op: 'hash' })));
      const [first] = hashes;
      return hashes.every(({ applied, hash }) => applied === first?.applied && hash === first?.hash);
    });
    for (const id of cluster.ids) {
      const { log, snapshot } = await ask(id, { op: 'status' });
      expect(log.last - log.first, `entries at ${id}`).to.be.lessThan(MOST_ENTRIES);
      expect(snapshot.index).to.be.greaterThan(0);
    }
  });
});
