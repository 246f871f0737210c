import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { connect } from '../../client/client.ts';
import { Cluster } from '../../lab/cluster.ts';
import { NodeProcess } from '../../lab/node-process.ts';
import { raftline } from '../1-client/program.ts';
import { askOf, eventually, leaderOf } from '../shared/cluster.ts';

describe('raftline recover --survivor', function () {
  this.timeout(60_000);
  let data: string;
  let cluster: Cluster;
  let survivor: NodeProcess | undefined;
  let newcomer: NodeProcess | undefined;
  const ask = askOf(() => cluster);

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    cluster = await Cluster.start({ nodes: 3, data });
  });
  afterEach(async () => {
    await Promise.all([survivor?.stop(), newcomer?.stop()]);
    survivor = undefined;
    newcomer = undefined;
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  });

  const recover = (...flags: string[]) => raftline(['recover', '--data', join(data, 'n2'), ...flags]);

  /** Writes something, waits until n2 has it, and kills every node. */
  async function loseAll(): Promise<void> {
    await leaderOf(cluster.ids, ask);
    const client = connect(cluster.addresses);
    for (let number = 0; number < 20; number += 1) await client.set(`/kept/${number}`, `${number}`);
    await client.close();
    await eventually('n2 has it all', async () => (await ask('n2', { op: 'status' })).keys === 20);
    await Promise.all(cluster.nodes.map(node => node.kill()));
  }

  it('without --yes says what may be lost, and changes nothing', async () => {
    await loseAll();
    const { status, out } = await recover('--survivor');
    expect(status).to.equal(0);
    expect(out)
      .to.match(/voters are n1, n2, n3/)
      .and.match(/is lost/)
      .and.match(/Nothing was changed/);
    await Promise.all(cluster.nodes.map(node => node.start()));
    await leaderOf(cluster.ids, ask);
    expect((await ask('n1', { op: 'get', key: '/kept/7' })).value).to.equal('7');
  });

  it('refuses a directory that a node runs on, and one that is none', async () => {
    const running = await recover('--survivor', '--yes');
    expect(running.status).to.equal(2);
    expect(running.err).to.match(/a node runs on .*: .*stop every node first/);
    const none = await raftline(['recover', '--data', join(data, 'no such'), '--survivor']);
    expect(none.status).to.equal(2);
    expect(none.err).to.match(/^raftline: recover: .* is not a data directory/);
    const unsaid = await recover('--yes');
    expect(unsaid.status).to.equal(2);
    expect(unsaid.err).to.match(/--survivor/);
  });

  it('makes the node the only member of a new cluster, which old members cannot disturb', async () => {
    await loseAll();
    const before = readFileSync(join(data, 'n2', 'node.json'), 'utf8');
    const { status, out } = await recover('--survivor', '--yes');
    expect(status).to.equal(0);
    expect(out).to.match(/n2 is the only member of cluster/);

    const { address } = cluster.node('n2');
    survivor = new NodeProcess({ id: 'n2', address }, { flags: ['--data', join(data, 'n2')] });
    await survivor.start();
    await Promise.all(['n1', 'n3'].map(id => cluster.node(id).start()));
    await leaderOf(['n2'], ask);
    const client = connect(address);
    for (let number = 0; number < 20; number += 1) {
      expect((await client.get(`/kept/${number}`)).value).to.equal(`${number}`);
    }
    await client.set('/kept/on', 'yes');
    await client.close();
    const after = await ask('n2', { op: 'status' });
    expect(after.members.map(({ id }: { id: string }) => id)).to.deep.equal(['n2']);
    expect(before).not.to.include(after.cluster);
    // The others still are a majority of the old cluster; it goes on without n2, and neither hears of the other.
    await leaderOf(['n1', 'n3'], ask);
    expect((await ask('n1', { op: 'get', key: '/kept/on' })).value).to.equal(null);

    // In the new cluster an old id is as good as a new one, on an empty data directory.
    await cluster.node('n1').kill();
    const own = { id: 'n1', address: cluster.node('n1').address };
    newcomer = new NodeProcess(own, { flags: ['--data', join(data, 'n1 anew'), '--join', address] });
    await newcomer.start();
    await eventually('it votes', async () => {
      const { members } = await ask('n2', { op: 'status' });
      return members.some(({ id, role }: { id: string; role: string }) => id === 'n1' && role === 'voter');
    });
    expect((await ask('n1', { op: 'get', key: '/kept/on' })).value).to.equal('yes');
  });
});
