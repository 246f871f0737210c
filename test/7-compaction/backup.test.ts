import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import split2 from 'split2';
import { connect } from '../../client/client.ts';
import { Cluster } from '../../lab/cluster.ts';
import { Store } from '../../src/kv/store.ts';
import { sendBackup } from '../../src/node/backup.ts';
import type { Client } from '../../src/node/client.ts';
import { DISK } from '../../src/node/file-system.ts';
import { loadSnapshot } from '../../src/node/snapshot-load.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { NO_CONFIGURATION } from '../../src/raft/configuration.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { raftline } from '../1-client/program.ts';
import { askOf, eventually, leaderOf } from '../shared/cluster.ts';
import { LineClient } from '../shared/line-client.ts';

describe('a backup that is not taken', () => {
  it('waits, but not for a client that has gone: nothing is kept for it', () => {
    let isGone = false;
    const due: (() => void)[] = [];
    const later = (run: () => void) => {
      due.push(run);
      return { stop: () => {} };
    };
    const clock: Clock = {
      now: () => 0,
      soon: later,
      after: (_, run) => later(run),
      every: (_, run) => later(run),
    };
    const client: Client = {
      push: () => {},
      isFull: true,
      get isGone() {
        return isGone;
      },
      follow: () => {},
      unfollow: () => {},
    };
    const position = { index: 1, term: 1 };
    const head = { ...position, configuration: NO_CONFIGURATION, base: position };
    sendBackup(head, new Store(), { client, deadline: Number.POSITIVE_INFINITY, answer: () => {} }, clock);
    for (let turn = 0; turn < 3; turn += 1) {
      expect(due).to.have.length(1);
      due.shift()?.();
    }
    isGone = true;
    due.shift()?.();
    expect(due).to.deep.equal([]);
  });
});

/** A backup, from real nodes at work. */
describe('backup', function () {
  this.timeout(60_000);
  let cluster: Cluster;
  let folder: string;
  let leader: string;
  const ask = askOf(() => cluster);

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    cluster = await Cluster.start({ stage: 7, nodes: 3, data: join(folder, 'data') });
    leader = await leaderOf(cluster.ids, ask);
    const client = connect(cluster.addresses);
    const value = `${'x'.repeat(900)}ü\u{1f600}"\\\n`;
    await Promise.all(
      Array.from({ length: 3_000 }, (_, at) => client.set(`/k/${at}`, value, { timeout: 20_000 })),
    );
    await client.close();
  });
  after(async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('has everything as of one moment, while others write, from whichever node is asked', async () => {
    const client = connect(cluster.addresses);
    let isDone = false;
    const writing = (async () => {
      for (let at = 0; !isDone; at += 1) await client.set('/both/a', `${at}`);
    })();
    for (const id of cluster.ids) {
      const file = join(folder, `${id}.ndjson`);
      const rev = (await client.set('/acknowledged', id)).mod;
      const ran = await raftline(['backup', file, '--address', cluster.node(id).address]);
      expect(ran, ran.err).to.include({ status: 0, err: '' });
      const read = loadSnapshot(DISK, file);
      if ('fault' in read) throw new Error(read.fault.what);
      const { state } = read.loaded;
      expect(state.rev).to.be.at.least(rev);
      expect(state.get('/acknowledged')?.value).to.equal(id);
      expect(ran.out).to.include(state.hash).and.to.include(`revision ${state.rev}`);
      expect(statSync(file).mode & 0o777).to.equal(0o600);
    }
    isDone = true;
    await writing;
    await client.close();
    expect(readdirSync(folder).filter(name => name.endsWith('.tmp'))).to.deep.equal([]);
  });

  it('comes as chunks with nothing else in them, and ends with the hash that the node has', async () => {
    await eventually('nothing is under way', async () => {
      const hashes = await Promise.all(cluster.ids.map(id => ask(id, { op: 'hash' })));
      return hashes.every(({ applied }) => applied === hashes[0]?.applied);
    });
    const client = await LineClient.connect(cluster.node(leader).address, { halfOpen: true });
    client.send({ op: 'backup', id: 'b', timeout: 30_000 });
    client.end();
    const lines = (await client.rest()).map(line => JSON.parse(line));
    const reply = lines.pop();
    expect(lines.length).to.be.greaterThan(10);
    for (const line of lines) expect(line).to.have.all.keys('chunk');
    const { hash, applied } = await ask(leader, { op: 'hash' });
    expect(reply).to.include({ id: 'b', ok: true, hash });
    expect(reply.applied).to.be.at.most(applied);
    const text = lines.map(({ chunk }) => chunk).join('');
    expect(text.trimEnd().split('\n').length).to.be.greaterThan(3_000);
  });

  it('waits for a client that does not take it, with little in memory, and answers others meanwhile', async () => {
    const slow = createConnection({ ...parseAddress(cluster.node(leader).address) });
    slow.write('{"op":"backup","timeout":30000}\n'); // and nothing is read until somebody listens
    for (let at = 0; at < 20; at += 1) {
      expect((await ask(leader, { op: 'set', key: '/meanwhile', value: `${at}` })).ok).to.equal(true);
    }
    let last = '';
    for await (const line of slow.pipe(split2()) as AsyncIterable<string>) {
      last = line;
      if (!line.startsWith('{"chunk"')) break;
    }
    expect(JSON.parse(last)).to.include({ ok: true });
  });

  it('goes to the next address when a node is away, and leaves no file when none answers', async () => {
    const file = join(folder, 'second.ndjson');
    const ran = await raftline(['backup', file, '--address', `127.0.0.1:1,${cluster.node('n2').address}`]);
    expect(ran.status, ran.err).to.equal(0);
    expect(readFileSync(file, 'utf8').split('\n').length).to.be.greaterThan(3_000);
    const none = join(folder, 'none.ndjson');
    const failed = await raftline(['backup', none, '--address', '127.0.0.1:1']);
    expect(failed.status).to.equal(3);
    expect(failed.err).to.include('127.0.0.1:1');
    expect(readdirSync(folder).filter(name => name.startsWith('none'))).to.deep.equal([]);
  });
});
