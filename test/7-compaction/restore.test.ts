import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Cluster } from '../../lab/cluster.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { start as startNode } from '../../stages/7-compaction/server.ts';
import { raftline } from '../1-client/program.ts';
import { askOf, eventually, leaderOf } from '../shared/cluster.ts';
import { freeAddresses } from '../shared/free-ports.ts';
import { LineClient, type Reply } from '../shared/line-client.ts';
import { flip } from './snapshot-kit.ts';

/** A new cluster from the file that a snapshot or a backup is. */
describe('raftline restore', function () {
  this.timeout(60_000);
  let folder: string;
  let backup: string;
  let original: Reply;
  let cluster: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    const data = join(folder, 'original');
    const old = await Cluster.start({ stage: 7, nodes: 1, data });
    const ask = askOf(() => old);
    const leader = await leaderOf(old.ids, ask);
    for (const key of ['/a', '/ä', '/\u{1f600}', '__proto__'])
      await ask(leader, { op: 'set', key, value: `of ${key}` });
    await ask(leader, { op: 'remove', key: '/a' });
    const { index, term } = await ask(leader, { op: 'snapshot' });
    original = await ask(leader, { op: 'hash' });
    cluster = (await ask(leader, { op: 'hello' })).cluster;
    backup = join(folder, 'backup.ndjson');
    writeFileSync(backup, readFileSync(join(data, leader, 'snapshots', `${index}-${term}.ndjson`)));
    await old.stop();
  });
  after(() => rmSync(folder, { recursive: true }));

  it('makes each member of a new cluster, which goes on where the backup ends', async () => {
    const nodes = (await freeAddresses(3)).map((address, at) => ({ id: `m${at}`, address }));
    const list = nodes.map(({ id, address }) => `${id}=${address}`).join(',');
    const dataOf = (id: string) => join(folder, 'restored', id);
    for (const { id } of nodes) {
      const ran = await raftline(['restore', backup, '--data', dataOf(id), '--id', id, '--nodes', list]);
      expect(ran, ran.err).to.include({ status: 0, err: '' });
      expect(ran.out).to.include(original.hash);
    }
    const start = () =>
      Promise.all(
        nodes.map(({ id, address }) =>
          startNode({ id, listen: parseAddress(address), nodes, data: dataOf(id) }),
        ),
      );
    const ask = async (address: string, request: object) => {
      const client = await LineClient.connect(address);
      try {
        client.send(request);
        return JSON.parse(await client.line(15_000)) as Reply;
      } finally {
        await client.close();
      }
    };
    for (const key of ['/first', '/second']) {
      // With its list, as at any start: the directory knows that it was restored for it.
      const running = await start();
      const [{ address = '' } = {}] = nodes;
      await eventually(
        'it takes changes',
        async () => (await ask(address, { op: 'set', key, value: 'x' })).ok,
      );
      expect((await ask(address, { op: 'get', key: '/\u{1f600}' })).value).to.equal('of /\u{1f600}');
      expect((await ask(address, { op: 'get', key: '/a' })).value).to.equal(null);
      const ids = await Promise.all(
        nodes.map(async node => (await ask(node.address, { op: 'hello' })).cluster),
      );
      expect(new Set(ids).size).to.equal(1);
      expect(ids[0]).not.to.equal(cluster);
      await Promise.all(running.map(node => node.close()));
    }
  });

  it('refuses a directory that is not empty, a damaged file and a wrong list, and writes nothing', async () => {
    const data = join(folder, 'taken');
    mkdirSync(data);
    writeFileSync(join(data, 'mine.txt'), 'mine');
    const list = ['--id', 'a', '--nodes', 'a=127.0.0.1:1'];
    const taken = await raftline(['restore', backup, '--data', data, ...list]);
    expect(taken).to.include({ status: 2, out: '' });
    expect(taken.err).to.include('is not empty');

    const broken = join(folder, 'broken.ndjson');
    writeFileSync(broken, readFileSync(backup));
    flip(broken, 400);
    const target = join(folder, 'never');
    const damaged = await raftline(['restore', broken, '--data', target, ...list]);
    expect(damaged.status).to.equal(2);
    expect(damaged.err)
      .to.include(broken)
      .and.to.match(/damaged at byte \d+/);

    const exported = join(folder, 'exported.ndjson');
    writeFileSync(exported, '{"key":"/a","value":"1"}\n');
    const other = await raftline(['restore', exported, '--data', target, ...list]);
    expect(other).to.include({ status: 2 });
    expect(other.err).to.include(`${exported} is what raftline export prints: use raftline import`);

    const missing = await raftline(['restore', join(folder, 'none'), '--data', target, ...list]);
    expect(missing).to.deep.equal({
      status: 2,
      out: '',
      err: `raftline: restore: ${join(folder, 'none')} is not there (ENOENT): check the name\n`,
    });
    const stranger = await raftline([
      'restore',
      backup,
      '--data',
      target,
      '--id',
      'z',
      '--nodes',
      'a=127.0.0.1:1',
    ]);
    expect(stranger.status).to.equal(2);
    expect(stranger.err).to.include('which of a');
    expect(existsSync(target)).to.equal(false);
  });
});
