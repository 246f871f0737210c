import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { DataError } from '../../src/node/data-error.ts';
import { State } from '../../src/raft/state.ts';
import { FaultyDisk } from '../4-log-replication/journal-faults.ts';
import {
  type Bench,
  type BenchOptions,
  contents,
  Scratch,
  segments,
  texts,
  turn,
} from '../4-log-replication/journal-kit.ts';
import {
  compact,
  flip,
  keyedEntries,
  MEMBERS,
  snapshotsIn,
  stateAt,
  stateOf,
  writeSnapshot,
} from './snapshot-kit.ts';

const scratch = new Scratch();
afterEach(() => scratch.clean());

const ballot = { term: 1, vote: 'n1' };

/** Writes entries one by one, the way small segments come about, and their commit. */
async function fill(bench: Bench, from: number, to: number): Promise<void> {
  for (const entry of keyedEntries(from, to)) bench.write({ entries: [entry] });
  await bench.durable(bench.write({ commit: to }));
}

/** A directory with snapshots of 30 and of 60, and a log up to 70. */
async function twoSnapshots(options: BenchOptions = {}): Promise<string> {
  const path = scratch.directory();
  const bench = await scratch.open(path, { segmentBytes: 400, ...options });
  await bench.durable(bench.write({ ballot }));
  await fill(bench, 1, 30);
  await compact(bench, { index: 30, term: 1 });
  await fill(bench, 31, 60);
  await compact(bench, { index: 60, term: 1 });
  await fill(bench, 61, 70);
  await bench.close();
  return path;
}

async function failure(opening: Promise<unknown>): Promise<DataError> {
  const error = await opening.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(DataError);
  return error as DataError;
}

describe('snapshots on the disk', () => {
  it('are what a node starts from, with the log that follows and a tail that goes before', async () => {
    const path = await twoSnapshots();
    const bench = await scratch.open(path);
    const { recovered, state } = bench.opened;
    expect(state.hash).to.equal(stateAt(60).hash);
    expect(recovered.snapshot).to.deep.equal({ index: 60, term: 1 });
    expect(recovered.base).to.deep.equal({ index: 58, term: 1 });
    expect(texts(recovered.entries)).to.deep.equal(texts(keyedEntries(59, 70)));
    expect(bench.storage.extent).to.include({ first: 59, last: 70 });
    expect(stateOf(bench).hash).to.equal(stateAt(70).hash);
    expect(bench.storage.snapshots.latest).to.include({ index: 60, term: 1 });
    expect(bench.warnings).to.deep.equal([]);
  });

  it('are two, and the log goes back to the older one, so that one may be lost', async () => {
    const path = await twoSnapshots();
    expect(snapshotsIn(path)).to.deep.equal(['30-1.ndjson', '60-1.ndjson']);
    const [first = ''] = segments(path);
    expect(Number.parseInt(first.slice(-23), 10), 'the log goes back to 31').to.be.within(2, 31);
    const bench = await scratch.open(path, { segmentBytes: 400 });
    await compact(bench, { index: 70, term: 1 });
    expect(snapshotsIn(path)).to.deep.equal(['60-1.ndjson', '70-1.ndjson']);
    expect(existsSync(first)).to.equal(false);
  });

  it('are lines that sed and jq can read, each with its checksum', async () => {
    const path = await twoSnapshots();
    const lines = readFileSync(join(path, 'snapshots', '60-1.ndjson'), 'utf8')
      .trimEnd()
      .split('\n');
    const [head, state, key, ...rest] = lines.map(line => JSON.parse(line.slice(9)));
    expect(head).to.include({ format: 1, index: 60, term: 1 });
    expect(state).to.include({ rev: 60, keys: 20 });
    expect([key, ...rest]).to.deep.include(['/0', '60 in 1', 20, 60, 3]);
    expect(rest.at(-1)?.lines).to.equal(lines.length - 1);
    expect(rest.at(-1)).to.have.all.keys('lines', 'sha256');
  });

  it('are never loaded when a bit of them has flipped: the one before serves, and nothing is deleted', async () => {
    const healthy = await twoSnapshots();
    const file = readFileSync(join(healthy, 'snapshots', '60-1.ndjson'));
    for (let offset = 0; offset < file.length; offset += 499) {
      const path = await twoSnapshots();
      const broken = join(path, 'snapshots', '60-1.ndjson');
      flip(broken, offset);
      const damaged = readFileSync(broken);
      const bench = await scratch.open(path, { segmentBytes: 400 });
      expect(bench.opened.recovered.snapshot, `byte ${offset}`).to.deep.equal({ index: 30, term: 1 });
      expect(stateOf(bench).hash).to.equal(stateAt(70).hash);
      expect(bench.warnings).to.have.length(1);
      expect(bench.warnings[0])
        .to.include(broken)
        .and.to.match(/damaged at byte \d+/);
      expect(readFileSync(`${broken}.damaged`), 'it is kept, out of the way').to.deep.equal(damaged);
      await fill(bench, 71, 80);
      await compact(bench, { index: 80, term: 1 });
      await bench.close();
      const again = await scratch.open(path);
      expect(stateOf(again).hash).to.equal(stateAt(80).hash);
      await again.close();
    }
  }).timeout(60_000);

  it('are never loaded when they are cut off, empty, or carry another name', async () => {
    const damages: ((path: string) => void)[] = [
      path => writeFileSync(path, ''),
      path => writeFileSync(path, readFileSync(path).subarray(0, -1)),
      path => writeFileSync(path, readFileSync(path, 'utf8').split('\n').slice(0, -2).join('\n')),
      path => writeFileSync(path, readFileSync(path, 'utf8').replace(/^.*"\/3".*\n/m, '')),
      path => writeFileSync(path, readFileSync(path.replace('60-1', '30-1'))),
    ];
    for (const damage of damages) {
      const path = await twoSnapshots();
      damage(join(path, 'snapshots', '60-1.ndjson'));
      const bench = await scratch.open(path);
      expect(bench.opened.recovered.snapshot).to.deep.equal({ index: 30, term: 1 });
      expect(stateOf(bench).hash).to.equal(stateAt(70).hash);
    }
  });

  it('stop the node when none is sound and the log does not go back far enough, and nothing is changed', async () => {
    const path = await twoSnapshots();
    const newest = join(path, 'snapshots', '60-1.ndjson');
    flip(newest, 300);
    flip(join(path, 'snapshots', '30-1.ndjson'), 300);
    const before = contents(path);
    const error = await failure(scratch.open(path));
    expect(error.file).to.equal(newest);
    expect(error.message)
      .to.match(/damaged at byte \d+/)
      .and.to.include('join again with an empty directory');
    expect(contents(path)).to.deep.equal(before);
  });

  it('stop the node when they are gone, since the log alone begins too late', async () => {
    const path = await twoSnapshots();
    for (const name of snapshotsIn(path)) writeFileSync(join(path, 'snapshots', name), '');
    expect((await failure(scratch.open(path))).message).to.include('60-1.ndjson');
  });

  it('of a later version stop the node, and are left alone', async () => {
    const path = await twoSnapshots();
    const file = join(path, 'snapshots', '60-1.ndjson');
    const { encodeRecord } = await import('../../src/node/record.ts');
    writeFileSync(file, `${encodeRecord({ format: 2, index: 60, term: 1 })}\n`);
    const before = contents(path);
    const error = await failure(scratch.open(path));
    expect(error.problem).to.equal('future');
    expect(contents(path)).to.deep.equal(before);
  });

  it('that nobody finished go at the next start', async () => {
    const path = await twoSnapshots();
    writeFileSync(join(path, 'snapshots', '65-1.ndjson.tmp'), 'half of it');
    const bench = await scratch.open(path);
    expect(snapshotsIn(path)).to.deep.equal(['30-1.ndjson', '60-1.ndjson']);
    expect(bench.opened.recovered.snapshot).to.deep.equal({ index: 60, term: 1 });
  });

  it('wait for a disk that is full, and the log goes on', async () => {
    const path = scratch.directory();
    const disk = new FaultyDisk();
    const bench = await scratch.open(path, { files: disk });
    bench.write({ ballot });
    await fill(bench, 1, 30);
    disk.room = 300;
    expect(await writeSnapshot(bench, { index: 30, term: 1 })).to.equal(undefined);
    expect(snapshotsIn(path)).to.deep.equal([]);
    expect(bench.warnings).to.have.length(1);
    disk.room = Number.POSITIVE_INFINITY;
    await fill(bench, 31, 40);
    await compact(bench, { index: 40, term: 1 });
    expect(snapshotsIn(path)).to.deep.equal(['40-1.ndjson']);
    expect(bench.fatal).to.deep.equal([]);
  });

  it('that the disk cannot make durable end the node', async () => {
    for (const call of ['fdatasync 30-1.ndjson.tmp', 'rename 30-1.ndjson', 'fsync snapshots']) {
      const path = scratch.directory();
      const disk = new FaultyDisk();
      const bench = await scratch.open(path, { files: disk });
      bench.write({ ballot });
      await fill(bench, 1, 30);
      disk.failures.set(call, 'EIO');
      let isDone = false;
      void compact(bench, { index: 30, term: 1 }).then(() => {
        isDone = true;
      });
      while (bench.fatal.length === 0) await turn();
      expect(bench.fatal[0]?.message, call).to.include('EIO');
      await turn();
      expect(isDone, call).to.equal(false);
      expect(segments(path)).to.have.length(1);
    }
  });

  it('that are being made when the node stops are given up, and leave nothing behind', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path);
    bench.write({ ballot });
    await fill(bench, 1, 30);
    let isTold = false;
    void writeSnapshot(bench, { index: 30, term: 1 }).then(written => {
      isTold = written === undefined;
    });
    await bench.close();
    expect(snapshotsIn(path)).to.deep.equal([]);
    await turn();
    expect(isTold).to.equal(true);
    const again = await scratch.open(path);
    await compact(again, { index: 30, term: 1 });
    expect(snapshotsIn(path)).to.deep.equal(['30-1.ndjson']);
  });

  it('are made a little at a time', async () => {
    const bench = await scratch.open(scratch.directory());
    let turns = 0;
    const count = () => {
      turns += 1;
      ticking = setImmediate(count);
    };
    let ticking = setImmediate(count);
    const store = stateAt(40);
    for (let key = 0; key < 60_000; key += 1) store.put(`/many/${key}`, 'x'.repeat(50));
    store.commit();
    const { imageOf } = await import('../../src/kv/image.ts');
    const { MEMBERS } = await import('./snapshot-kit.ts');
    const head = { index: 40, term: 1, configuration: MEMBERS, base: { index: 40, term: 1 } };
    const extent = await new Promise(resolve => bench.storage.snapshots.write(head, imageOf(store), resolve));
    clearImmediate(ticking);
    expect(extent).to.include({ index: 40 });
    expect(turns, 'others had their turns').to.be.greaterThan(5);
  });
});

describe('snapshots that come from another node', () => {
  /** The lines of a snapshot of an index, and its hash. */
  async function linesOf(
    index: number,
    term = 1,
  ): Promise<{ readonly lines: string[]; readonly hash: string }> {
    const path = scratch.directory();
    const bench = await scratch.open(path);
    const extent = await writeSnapshot(bench, { index, term });
    if (extent === undefined) throw new Error('not written');
    const text = readFileSync(join(path, 'snapshots', `${index}-${term}.ndjson`), 'utf8');
    return { lines: text.trimEnd().split('\n'), hash: extent.hash };
  }

  async function receive(bench: Bench, index: number, term = 1): Promise<void> {
    const { lines, hash } = await linesOf(index, term);
    const { snapshots } = bench.storage;
    const incoming = snapshots.receive({ index, term }, hash);
    if (incoming === undefined) throw new Error('no room');
    for (const line of lines) incoming.take([line]);
    expect(incoming.loaded?.state.hash).to.equal(stateAt(index).hash);
    const extent = await new Promise<Parameters<typeof snapshots.promote>[0]>(resolve =>
      snapshots.keep(incoming, resolve),
    );
    snapshots.promote(extent, false);
  }

  it('take the place of a log that does not fit, and it begins anew behind them', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path, { segmentBytes: 400 });
    await bench.durable(bench.write({ ballot }));
    await fill(bench, 1, 20);
    await receive(bench, 50);
    await bench.durable(bench.write({ begins: { index: 50, term: 1 }, commit: 50 }));
    await fill(bench, 51, 60);
    expect(bench.storage.extent).to.include({ first: 51, last: 60 });
    await bench.close();
    const again = await scratch.open(path);
    expect(again.opened.recovered.base).to.deep.equal({ index: 50, term: 1 });
    expect(stateOf(again).hash).to.equal(stateAt(60).hash);
  });

  it('take the place of entries that the disk has yet to be told of, and those behind them stay', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path);
    const votes = { term: 2, vote: null };
    const old = keyedEntries(1, 20);
    await bench.durable(bench.write({ ballot: votes, entries: old, commit: 10 }));
    const base = { index: 0, term: 0 };
    const state = new State({
      id: 'n1',
      configuration: MEMBERS,
      ballot: votes,
      base,
      entries: old,
      commit: 10,
    });
    state.take();
    // The leader of term 2 replaces what was never committed; before the turn ends, a snapshot of its is on the disk.
    state.truncate(16);
    state.append(keyedEntries(16, 40, 2));
    const snapshot = { index: 30, term: 2 };
    await receive(bench, snapshot.index, snapshot.term);
    if (state.restore(snapshot, MEMBERS)) bench.storage.compact(snapshot, bench.storage.snapshots.keepsFrom);
    const { begins, entries, commit = 0 } = state.take();
    await bench.durable(bench.write({ ...(begins && { begins }), entries, commit }));
    expect(bench.storage.extent).to.include({ first: 31, last: 40 });
    await bench.close();
    const again = await scratch.open(path);
    const { recovered } = again.opened;
    expect(again.warnings).to.deep.equal([]);
    expect(recovered).to.deep.include({ base: snapshot, snapshot, commit: 30 });
    expect(recovered.entries.map(({ index, term }) => [index, term])).to.deep.equal(
      Array.from({ length: 10 }, (_, at) => [31 + at, 2]),
    );
  });

  it('count although the node ended before the log could begin anew, which it then does and says', async () => {
    for (const last of [20, 70]) {
      const path = scratch.directory();
      const bench = await scratch.open(path, { segmentBytes: 400 });
      // What follows 20 was never committed, and is of an earlier leader than the snapshot.
      await bench.durable(bench.write({ ballot: { term: 1, vote: null } }));
      await fill(bench, 1, 20);
      const old = keyedEntries(21, last, 1).map(entry => ({ ...entry, term: 1 }));
      await bench.durable(bench.write({ entries: old }));
      await receive(bench, 50);
      await bench.close();
      const again = await scratch.open(path, { segmentBytes: 400 });
      const { recovered } = again.opened;
      const isCut = last === 20;
      expect(again.warnings).to.have.length(isCut ? 1 : 0);
      if (isCut) expect(again.warnings[0]).to.include('the log lacks entry 50 of term 1').and.include(path);
      expect(recovered.snapshot).to.deep.equal({ index: 50, term: 1 });
      expect(recovered.entries.map(({ index }) => index)).to.deep.equal(
        isCut ? [] : Array.from({ length: 22 }, (_, at) => 49 + at),
      );
      await fill(again, Math.max(51, last + 1), 80);
      await again.close();
      const third = await scratch.open(path);
      expect(third.warnings).to.deep.equal([]);
      expect(stateOf(third).hash).to.equal(stateAt(80).hash);
    }
  });

  it('are refused when a line is damaged, missing or out of place, and what was there stays', async () => {
    const path = await twoSnapshots();
    const bench = await scratch.open(path);
    const { lines, hash } = await linesOf(90);
    const { snapshots } = bench.storage;
    const spoilt: (readonly string[])[] = [
      lines.map((line, at) => (at === 9 ? line.replace('in 1', 'in 2') : line)),
      lines.filter((_, at) => at !== 9),
      lines.slice(1),
      [...lines, lines[9] ?? ''],
      [...lines.slice(0, 9), lines[10] ?? '', lines[9] ?? '', ...lines.slice(11)],
    ];
    for (const bad of spoilt) {
      const incoming = snapshots.receive({ index: 90, term: 1 }, hash);
      expect(() => incoming?.take(bad)).to.throw();
    }
    const other = snapshots.receive({ index: 91, term: 1 }, hash);
    expect(() => other?.take(lines)).to.throw('not the one announced');
    snapshots.discard();
    expect(snapshotsIn(path)).to.deep.equal(['30-1.ndjson', '60-1.ndjson']);
    expect(snapshots.latest).to.include({ index: 60 });
  });
});
