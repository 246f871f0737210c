import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Client, connect } from '../../client/client.ts';
import { Cluster } from '../../lab/cluster.ts';
import { askOf, eventually, leaderOf } from '../shared/cluster.ts';

/** What stage 6 says still breaks, turned round: by real nodes on a real disk. */
describe('compaction, by real nodes', function () {
  this.timeout(120_000);
  let cluster: Cluster;
  let client: Client;
  let data: string;
  let said: string[];
  const ask = askOf(() => cluster);

  async function start(stage: number, flags: readonly string[] = []): Promise<void> {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    said = [];
    cluster = await Cluster.start({ stage, nodes: 3, data, flags, onLine: (_, line) => said.push(line) });
    client = connect(cluster.addresses);
    await leaderOf(cluster.ids, ask);
  }

  afterEach(async () => {
    await client.close();
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  });

  async function write(count: number): Promise<void> {
    for (let done = 0; done < count; done += 200) {
      await Promise.all(
        Array.from({ length: 200 }, (_, at) =>
          client.set(`/k/${at % 50}`, `${done + at}`, { timeout: 10_000 }),
        ),
      );
    }
  }

  async function allAgree(): Promise<void> {
    await eventually('all have applied the same, to the same effect', async () => {
      const hashes = await Promise.all(cluster.ids.map(id => ask(id, { op: 'hash' })));
      return hashes.every(({ applied, hash }) => applied === hashes[0]?.applied && hash === hashes[0]?.hash);
    });
  }

  const aFollower = async () => {
    const leader = await leaderOf(cluster.ids, ask);
    return cluster.ids.find(id => id !== leader) ?? '';
  };

  it('stage 6 still breaks: every entry stays in the log, however few keys there are', async () => {
    await start(6);
    await write(2_000);
    for (const id of cluster.ids) {
      await eventually(`${id} has them all`, async () => (await ask(id, { op: 'status' })).log.last > 2_000);
      expect((await ask(id, { op: 'status' })).log.first).to.equal(1);
    }
    const { error } = await ask('n1', { op: 'snapshot' });
    expect(error).to.include({ code: 'WRONG_STAGE', stage: 7 });
  });

  it('keeps the log short however many changes there are, and starts from what is left', async () => {
    await start(7, ['--compact-entries', '400']);
    await write(6_000);
    for (const id of cluster.ids) {
      await eventually(`${id} has compacted its log`, async () => {
        const { log, snapshot, applied } = await ask(id, { op: 'status' });
        return applied > 6_000 && snapshot.index > 5_000 && log.last - log.first < 2_000;
      });
      const names = readdirSync(join(data, id, 'snapshots')).filter(name => !name.endsWith('.tmp'));
      expect(names.length, `${names}`).to.be.within(1, 3);
    }
    await allAgree();
    const before = await ask('n1', { op: 'hash' });
    await Promise.all(cluster.nodes.map(node => node.kill()));
    await Promise.all(cluster.nodes.map(node => node.restart()));
    await leaderOf(cluster.ids, ask);
    await allAgree();
    expect((await ask('n1', { op: 'hash' })).hash).to.equal(before.hash);
    expect((await client.get('/k/49')).value).to.equal('5999');
  });

  it('brings a follower up that missed what is gone from the log, while others write', async () => {
    await start(7);
    await write(200);
    const follower = await aFollower();
    await cluster.node(follower).kill();
    await write(3_000);
    for (const id of cluster.ids.filter(other => other !== follower)) {
      const { ok, index, term } = await ask(id, { op: 'snapshot' });
      expect(ok).to.equal(true);
      expect((await ask(id, { op: 'status' })).snapshot).to.include({ index, term });
    }
    const writing = write(2_000);
    await cluster.node(follower).restart();
    await writing;
    await allAgree();
    const { snapshot, log } = await ask(follower, { op: 'status' });
    expect(snapshot.index).to.be.greaterThan(3_000);
    expect(log.first, 'the log begins right behind the snapshot').to.equal(snapshot.index + 1);
    await cluster.node(follower).kill();
    await cluster.node(follower).restart();
    await allAgree();
  });

  it('compacts now when it is told to, and says so again when there is nothing new', async () => {
    await start(7);
    await write(3_000);
    const id = await aFollower();
    await allAgree();
    const first = await ask(id, { op: 'snapshot' });
    expect(first).to.include({ ok: true });
    const { log, snapshot } = await ask(id, { op: 'status' });
    expect(snapshot).to.include({ index: first.index, term: first.term });
    expect(snapshot.bytes).to.be.greaterThan(1_000);
    expect(first.index - log.first, 'a tail for slow followers').to.be.within(0, 1_000);
    const again = await ask(id, { op: 'snapshot' });
    expect(again).to.include({ ok: true, index: first.index, term: first.term });
  });

  it('starts without a snapshot that the disk has damaged, and stops when nothing takes its place', async () => {
    await start(7);
    await write(1_000);
    const id = await aFollower();
    const { index, term } = await ask(id, { op: 'snapshot' });
    const path = join(data, id, 'snapshots', `${index}-${term}.ndjson`);
    await cluster.node(id).kill();
    const bytes = readFileSync(path);
    bytes[700] = (bytes[700] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    await cluster.node(id).restart();
    expect(said.join('\n'))
      .to.include(path)
      .and.to.match(/damaged at byte \d+.*not needed/);
    await allAgree();
  });
});
