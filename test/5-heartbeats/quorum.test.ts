import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Cluster } from '../../lab/cluster.ts';
import { askOf, eventually } from '../shared/cluster.ts';

describe('heartbeats between real nodes', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  let data: string;
  const ask = askOf(() => cluster);

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    cluster = await Cluster.start({ stage: 5, nodes: 3, data });
    await eventually(
      'changes are taken',
      async () => (await ask('n2', { op: 'set', key: '/a', value: '1' })).ok,
    );
  });
  afterEach(async () => {
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  });

  it('let a leader that is cut off say so instead of hanging', async () => {
    cluster.partition([['n1'], ['n2', 'n3']]);
    const underWay = ask('n1', { op: 'set', key: '/a', value: '2', timeout: 10_000 });
    expect((await underWay).error).to.include({ code: 'NO_QUORUM', definite: false });
    expect((await ask('n1', { op: 'set', key: '/a', value: '3' })).error).to.include({
      code: 'NO_QUORUM',
      definite: true,
      retry: true,
    });
    const read = await ask('n1', { op: 'get', key: '/a' });
    expect(read.error, 'never the value that may be old').to.include({ code: 'NO_QUORUM', definite: true });
    cluster.heal();
    await eventually('it goes on by itself', async () => (await ask('n1', { op: 'get', key: '/a' })).ok);
  });

  it('confirm a read at a follower, which then serves what the leader had committed', async () => {
    for (let number = 2; number < 30; number += 1) {
      await ask('n1', { op: 'set', key: '/a', value: `${number}` });
      expect(await ask('n3', { op: 'get', key: '/a' })).to.include({ value: `${number}` });
    }
  });

  it('give a follower that is cut off no value to serve, unless a stale one is asked for', async () => {
    await eventually(
      'n3 has it',
      async () => (await ask('n3', { op: 'get', key: '/a', read: 'stale' })).value === '1',
    );
    cluster.partition([['n3'], ['n1', 'n2']]);
    await ask('n1', { op: 'set', key: '/a', value: '2' });
    expect((await ask('n3', { op: 'get', key: '/a', timeout: 1_000 })).error).to.include({ definite: true });
    expect(await ask('n3', { op: 'get', key: '/a', read: 'stale' })).to.include({ value: '1' });
  });

  it('tell a follower how long its leader has been silent', async () => {
    expect((await ask('n2', { op: 'status' })).silence).to.be.a('number');
    cluster.node('n1').pause();
    await eventually('n2 counts', async () => (await ask('n2', { op: 'status' })).silence >= 500);
    cluster.node('n1').resume();
    await eventually('n2 hears it again', async () => (await ask('n2', { op: 'status' })).silence < 300);
  });

  it('do not keep a change waiting that can reach no leader: it was not done, and is told so', async () => {
    await cluster.node('n1').kill();
    for (const timeout of [5_000, 100]) {
      const { error } = await ask('n2', { op: 'set', key: '/unled', value: '1', timeout });
      expect(error).to.include({ code: 'NO_LEADER', definite: true, retry: true });
    }
    await cluster.node('n1').restart();
    await eventually('n1 is back', async () => (await ask('n2', { op: 'get', key: '/a' })).ok);
    expect(await ask('n2', { op: 'get', key: '/unled' })).to.include({ value: null });
  });

  it('still break: everyone sees that the leader is dead, and nobody takes its place', async () => {
    await cluster.node('n1').kill();
    await eventually('n2 hears nothing', async () => (await ask('n2', { op: 'status' })).silence > 2_000);
    expect(await ask('n2', { op: 'status' })).to.deep.include({ role: 'follower', term: 1 });
  });
});
