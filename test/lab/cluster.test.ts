import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ask } from '../../lab/ask.ts';
import { Cluster, type ClusterOptions } from '../../lab/cluster.ts';
import { type NodeProcess, StartFailure } from '../../lab/node-process.ts';
import { FIRST_STAGE_WITH_DATA, STAGES } from '../../stages/stages.ts';
import { isAlive, until } from './processes.ts';

const has = (stage: number) => STAGES.some(each => each.number === stage);

describe('a cluster of processes', () => {
  const started: Cluster[] = [];

  async function start(options: ClusterOptions): Promise<Cluster> {
    const cluster = await Cluster.start(options);
    started.push(cluster);
    return cluster;
  }

  afterEach(async () => {
    for (const cluster of started.splice(0)) await cluster.stop();
  });

  const value = async (node: NodeProcess): Promise<unknown> =>
    JSON.parse(await ask(node.address, '{"op":"get","key":"/a","read":"stale"}', 2_000)).value;
  const set = (node: NodeProcess, text: string, timeout = 5_000) =>
    ask(node.address, JSON.stringify({ op: 'set', key: '/a', value: text, timeout }), timeout + 1_000);

  it('tells how a node ended: stopped, killed, or by itself', async () => {
    const ends: string[] = [];
    const cluster = await start({ stage: 0, onEnd: node => ends.push(node.id) });
    const node = cluster.node('n1');
    expect([node.state, node.exit]).to.deep.equal(['running', undefined]);
    await node.stop();
    expect([node.state, node.exit]).to.deep.equal(['stopped', { status: 0, signal: null }]);
    await node.start();
    await node.kill();
    expect([node.state, node.exit]).to.deep.equal(['killed', { status: null, signal: 'SIGKILL' }]);
    expect(node.pid).to.equal(undefined);
    await node.restart();
    expect(ends).to.deep.equal([]);
    process.kill(node.pid ?? 0, 'SIGTERM');
    await until('it is heard of', () => ends.length === 1);
    expect([node.state, node.exit]).to.deep.equal(['ended', { status: 0, signal: null }]);
  });

  it('leaves nothing when a node does not start, and says what the node said', async () => {
    const attempt = Cluster.start({ stage: 0, flags: ['--transport', 'pigeon'] });
    const failure = await attempt.then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).to.be.instanceOf(StartFailure);
    expect((failure as StartFailure).message).to.contain('n1 ended with status 2 before it listened');
    expect((failure as StartFailure).message).to.contain('there is no such transport');
  });

  it('keeps the ports of a node that is down from other clusters', async () => {
    const one = await start({ stage: 0 });
    await one.node('n1').kill();
    const two = await start({ stage: 0, firstPort: Number(one.addresses[0]?.split(':')[1]) });
    expect(two.addresses).not.to.deep.equal(one.addresses);
    await one.node('n1').restart();
  });

  it('says which address is taken when a node cannot come back to it', async () => {
    const cluster = await start({ stage: 0 });
    const node = cluster.node('n1');
    await node.kill();
    const squatter = createServer();
    await new Promise<void>(resolve => {
      squatter.listen(Number(node.address.split(':')[1]), '127.0.0.1', resolve);
    });
    const message = await node.restart().then(
      () => '',
      (error: Error) => error.message,
    );
    expect(message).to.contain(`${node.address} is in use`);
    await new Promise(resolve => squatter.close(resolve));
    await node.restart();
  });

  it('finds no leader where none runs', async () => {
    const cluster = await start({ stage: 0 });
    expect((await cluster.leader())?.id).to.equal('n1');
    await cluster.node('n1').kill();
    expect(await cluster.leader(50)).to.equal(undefined);
  });

  it('stops paused nodes too', async () => {
    const cluster = await start({ stage: 0 });
    const pid = cluster.node('n1').pid ?? 0;
    cluster.node('n1').pause();
    await cluster.stop();
    expect(isAlive(pid)).to.equal(false);
    expect(cluster.node('n1').exit).to.deep.equal({ status: 0, signal: null });
  });

  describe('at stage 2', () => {
    before(function () {
      if (!has(2)) this.skip();
    });

    it('cuts one direction: the leader hears, and is not heard', async () => {
      const cluster = await start({ stage: 2, nodes: 3 });
      const [n1, n2, n3] = ['n1', 'n2', 'n3'].map(id => cluster.node(id)) as [
        NodeProcess,
        NodeProcess,
        NodeProcess,
      ];
      expect(await cluster.leader()).to.equal(n1);
      await set(n1, 'old');
      await until('all have it', async () => (await value(n2)) === 'old' && (await value(n3)) === 'old');
      cluster.cut('n1', 'n2');
      await set(n1, 'new', 500);
      await until('n3 hears of it', async () => (await value(n3)) === 'new');
      expect(await value(n2)).to.equal('old');
      cluster.heal();
      await until('n2 hears of it', async () => (await value(n2)) === 'new');
    });

    it('refuses a partition that makes no sense, and changes nothing', async () => {
      const cluster = await start({ stage: 2, nodes: 3 });
      expect(() => cluster.partition([['n1'], ['n4']])).to.throw('there is no node "n4"');
      expect(() => cluster.partition([['n1'], ['n1', 'n2']])).to.throw('n1 cannot be on two sides');
      expect(cluster.cuts).to.deep.equal([]);
    });
  });

  describe('with data', () => {
    const stage = STAGES.find(each => each.number >= 6)?.number;
    let data: string;

    before(function () {
      if (stage === undefined || stage < FIRST_STAGE_WITH_DATA) this.skip();
    });

    beforeEach(() => {
      data = mkdtempSync(join(tmpdir(), 'raftline-cluster-'));
    });

    afterEach(async () => {
      for (const cluster of started.splice(0)) await cluster.stop();
      rmSync(data, { recursive: true });
    });

    it('keeps what was written when every node is killed', async () => {
      const cluster = await start({ stage: stage ?? 6, nodes: 3, data });
      expect(await set(cluster.node('n2'), 'kept')).to.contain('"ok":true');
      await Promise.all(cluster.nodes.map(node => node.kill()));
      await Promise.all(cluster.nodes.map(node => node.restart()));
      const reply = await ask(cluster.node('n3').address, '{"op":"get","key":"/a"}', 6_000);
      expect(JSON.parse(reply).value).to.equal('kept');
      expect(existsSync(join(data, 'n3', 'node.json'))).to.equal(true);
    });

    it('elects another leader on the larger side of a partition', async () => {
      const cluster = await start({ stage: stage ?? 6, nodes: 3, data });
      const leader = (await cluster.leader()) as NodeProcess;
      await set(leader, 'before');
      const status = async (id: string) => JSON.parse(await ask(cluster.node(id).address, 'status', 2_000));
      const others = cluster.ids.filter(id => id !== leader.id);
      cluster.partition([[leader.id], others]);
      await until('there is another', async () => {
        const seen = (await status(others[0] ?? '')).leader;
        return seen !== null && seen.id !== leader.id;
      });
      expect(await set(cluster.node(others[0] ?? ''), 'after')).to.contain('"ok":true');
      cluster.heal();
      await until('the old leader follows', async () => (await value(leader)) === 'after');
    });
  });
});
