import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Cluster } from '../../lab/cluster.ts';
import { askOf, eventually } from '../shared/cluster.ts';

/** The faults of stage 2, in the same words, with the outcome turned round; and what still breaks. */
describe('log replication', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  let data: string;
  const ask = askOf(() => cluster);
  const valueAt = async (id: string, key: string) => (await ask(id, { op: 'get', key })).value;
  const write = async (value: string) => {
    await eventually(
      `a majority takes ${value}`,
      async () => (await ask('n1', { op: 'set', key: '/a', value })).ok,
    );
  };

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    cluster = await Cluster.start({ stage: 4, nodes: 5, data });
  });
  afterEach(async () => {
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  });

  async function allAgree(): Promise<void> {
    await eventually('all have applied the same, to the same effect', async () => {
      const hashes = await Promise.all(cluster.ids.map(id => ask(id, { op: 'hash' })));
      return hashes.every(({ applied, hash }) => applied === hashes[0]?.applied && hash === hashes[0]?.hash);
    });
  }

  it('makes a change that found no majority happen everywhere, or nowhere', async () => {
    await write('old');
    await eventually('n2 has it', async () => (await valueAt('n2', '/a')) === 'old');
    for (const id of ['n3', 'n4', 'n5']) await cluster.node(id).kill();
    const { error } = await ask('n1', { op: 'set', key: '/a', value: 'new', timeout: 500 });
    expect(error).to.include({ code: 'TIMEOUT', definite: false });
    expect(await valueAt('n1', '/a')).to.equal('old');
    expect(await valueAt('n2', '/a'), 'what is not committed is not applied').to.equal('old');
    for (const id of ['n3', 'n4', 'n5']) await cluster.node(id).restart();
    for (const id of cluster.ids) {
      await eventually(`${id} has it`, async () => (await valueAt(id, '/a')) === 'new');
    }
    await allAgree();
  });

  it('gives a follower that restarts its memory back, and tells it what it missed', async () => {
    await write('1');
    await eventually('n5 has it', async () => (await valueAt('n5', '/a')) === '1');
    await cluster.node('n5').kill();
    await write('2');
    await cluster.node('n5').restart();
    await eventually('n5 has caught up', async () => (await valueAt('n5', '/a')) === '2');
    await allAgree();
  });

  it('makes nodes that were apart agree again, revisions included', async () => {
    await write('1');
    cluster.partition([['n5'], ['n1', 'n2', 'n3', 'n4']]);
    cluster.reset('n1', 'n5');
    await write('missed');
    cluster.heal();
    await eventually('n5 has what it missed', async () => (await valueAt('n5', '/a')) === 'missed');
    await allAgree();
    const [here, there] = await Promise.all([
      ask('n1', { op: 'get', key: '/a' }),
      ask('n5', { op: 'get', key: '/a' }),
    ]);
    expect(there).to.deep.equal(here);
  });

  it('lets one of two updates under the same condition win, and tells the other', async () => {
    await write('7');
    const { mod } = await ask('n1', { op: 'get', key: '/a' });
    for (const id of ['n2', 'n3', 'n4', 'n5']) cluster.delay(id, 150);
    const replies = await Promise.all([
      ask('n1', { op: 'set', key: '/a', value: '8 by one', if: { mod } }),
      ask('n1', { op: 'set', key: '/a', value: '8 by another', if: { mod } }),
    ]);
    expect(replies.map(reply => reply.ok).sort()).to.deep.equal([false, true]);
    expect(replies.find(reply => !reply.ok)?.error).to.include({ code: 'CONFLICT', definite: true });
  });

  it('still breaks: while the given leader is away nothing can be changed', async () => {
    await write('1');
    await cluster.node('n1').kill();
    await eventually('n2 has noticed', async () => {
      const { error } = await ask('n2', { op: 'set', key: '/a', value: '2', timeout: 1_000 });
      return error?.code === 'NO_LEADER' || error?.code === 'TIMEOUT' || error?.code === 'LEADER_LOST';
    });
    expect(await ask('n2', { op: 'status' })).to.include({ role: 'follower', term: 1 });
  });

  it('still breaks: a follower that is cut off serves what it has', async () => {
    await write('1');
    await eventually('n5 has it', async () => (await valueAt('n5', '/a')) === '1');
    cluster.partition([['n5'], ['n1', 'n2', 'n3', 'n4']]);
    await write('2');
    const { rev = 0 } = await ask('n1', { op: 'get', key: '/a' });
    expect(await ask('n5', { op: 'get', key: '/a' })).to.include({ value: '1', local: true });
    const watch = { op: 'watch', key: '/a', from: rev + 2 };
    expect((await ask('n5', watch)).error).to.include({ code: 'FUTURE_REV', retry: true });
    expect((await ask('n1', watch)).error).to.include({ code: 'FUTURE_REV', retry: false });
  });
});
