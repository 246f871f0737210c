import { statSync } from 'node:fs';
import { expect } from 'chai';
import { raftline } from '../1-client/program.ts';
import { failureOf } from '../1-client/servers.ts';
import { Scratch } from '../4-log-replication/journal-kit.ts';
import { compact, flip, keyedEntries, snapshotsIn, writeSnapshot } from './snapshot-kit.ts';

const scratch = new Scratch();
afterEach(() => scratch.clean());

/** A log up to 60, which a snapshot of 50 stands for save for two entries. */
async function compacted(): Promise<string> {
  const path = scratch.directory();
  const bench = await scratch.open(path);
  bench.write({ ballot: { term: 1, vote: null }, entries: keyedEntries(1, 50) });
  await bench.durable(bench.write({ commit: 50 }));
  await compact(bench, { index: 50, term: 1 });
  await bench.durable(bench.write({ entries: keyedEntries(51, 60), commit: 60 }));
  await bench.close();
  return path;
}

/** A log of 5 entries that began anew behind a snapshot of 70, which came from another node. */
async function begunAnew(): Promise<string> {
  const path = scratch.directory();
  const bench = await scratch.open(path);
  bench.write({ ballot: { term: 2, vote: null }, entries: keyedEntries(1, 5) });
  await writeSnapshot(bench, { index: 70, term: 2 }, 0);
  bench.write({ begins: { index: 70, term: 2 }, commit: 70 });
  await bench.durable(bench.write({ entries: keyedEntries(71, 73, 2) }));
  await bench.close();
  return path;
}

describe('raftline log, on a log that was compacted', () => {
  it('says what stands for its beginning, and prints what is left', async () => {
    const { status, out, err } = await raftline(['log', '--data', await compacted()]);
    expect({ status, err }).to.deep.equal({ status: 0, err: '' });
    const [, snapshot, first, ...rest] = out.trimEnd().split('\n');
    expect(snapshot).to.equal(
      'a snapshot stands for everything up to entry 50 of term 1; entries from 49 on stay for followers',
    );
    expect(first).to.match(/^ +49 {2}term 1/);
    expect(rest.at(-1)).to.match(/committed up to 60$/);
  });

  it('shows what is still on the disk when it is asked for it', async () => {
    const { out } = await raftline(['log', '--data', await compacted(), '--from', '10']);
    expect(out.split('\n')[2]).to.match(/^ +10 {2}term 1/);
  });

  it('says where the log begins anew', async () => {
    const path = await begunAnew();
    const whole = await raftline(['log', '--data', path, '--from', '1']);
    expect(whole.out).to.include('begins anew behind a snapshot of entry 70 of term 2\n      71  term 2');
    expect(whole.out).not.to.include('replaced');
    const left = await raftline(['log', '--data', path]);
    expect(left.out).not.to.match(/^ +5 /m);
  });

  it('passes over a snapshot that is damaged', async () => {
    const path = await compacted();
    const [name = ''] = snapshotsIn(path);
    flip(`${path}/snapshots/${name}`, 20);
    const { status, out, err } = await raftline(['log', '--data', path]);
    expect(status).to.equal(0);
    expect(err).to.include(name);
    expect(out).to.match(/^ +1 {2}term 1/m);
  });

  it('says what serve would say when the snapshot is damaged that the log goes on from', async () => {
    const path = await begunAnew();
    const [name = ''] = snapshotsIn(path);
    const file = `${path}/snapshots/${name}`;
    flip(file, statSync(file).size - 20);
    const { message } = await failureOf(scratch.open(path));
    expect(message).to.include(name).and.include('the log does not go on from no older one');
    const { status, out, err } = await raftline(['log', '--data', path]);
    expect({ status, err }).to.deep.equal({ status: 1, err: `raftline: log: ${message}\n` });
    expect(out).to.include('a snapshot stands for everything up to entry 70 of term 2');
  });
});
