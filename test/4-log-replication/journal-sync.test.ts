import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { FaultyDisk } from './journal-faults.ts';
import {
  type Bench,
  type BenchOptions,
  entries,
  Scratch,
  segments,
  texts,
  turn,
  type Written,
} from './journal-kit.ts';

const scratch = new Scratch();
afterEach(() => scratch.clean());

const ballot = { term: 1, vote: 'n1' };
const SEGMENT = '0000000000000001.ndjson';

/** A journal whose ballot is durable, on a disk whose syncs the test finishes itself. */
async function held(options: BenchOptions = {}): Promise<{ disk: FaultyDisk; bench: Bench; path: string }> {
  const disk = new FaultyDisk();
  const path = scratch.directory();
  const bench = await scratch.open(path, { files: disk, ...options });
  await bench.durable(bench.write({ ballot }));
  bench.reported.length = 0;
  disk.calls.length = 0;
  disk.isHolding = true;
  return { disk, bench, path };
}

/** Lets everything finish, so that the journal can close. */
async function release(disk: FaultyDisk): Promise<void> {
  disk.isHolding = false;
  while (disk.waiting > 0) {
    disk.finish();
    await turn();
  }
}

describe('the journal: what is durable when', () => {
  it('reports a batch only after a sync that began after it was written', async () => {
    const { disk, bench } = await held();
    const first = bench.write({ entries: entries(1, 1) });
    const second = bench.write({ entries: entries(2, 2) });
    const third = bench.write({ entries: entries(3, 3) });
    await turn();
    expect(disk.waiting, 'one sync at a time').to.equal(1);
    expect(bench.reported).to.deep.equal([]);
    disk.finish();
    expect(bench.reported).to.deep.equal([first]);
    expect(disk.waiting).to.equal(1);
    const fourth = bench.write({ entries: entries(4, 4) });
    disk.finish();
    expect(bench.reported, 'two batches share a sync').to.deep.equal([first, third]);
    disk.finish();
    expect(bench.reported).to.deep.equal([first, third, fourth]);
    expect(second).to.be.lessThan(third);
    await turn();
    expect(disk.waiting).to.equal(0);
    await release(disk);
  });

  it('writes into the page cache at once, while a sync is under way', async () => {
    const { disk, bench, path } = await held();
    bench.write({ entries: entries(1, 1) });
    bench.write({ entries: entries(2, 2) });
    const [segment = ''] = segments(path);
    expect(readFileSync(segment, 'utf8').split('\n')).to.have.length(3);
    await release(disk);
  });

  it('writes no entry of a batch before its ballot is durable, and nothing that comes after it', async () => {
    const { disk, bench, path } = await held();
    const marks = [
      bench.write({ ballot: { term: 2, vote: 'n2' }, entries: entries(1, 1, 2) }),
      bench.write({ entries: entries(2, 2, 2) }),
    ];
    await turn();
    const [segment = ''] = segments(path);
    expect(readFileSync(segment, 'utf8')).to.equal('');
    expect(disk.calls).to.deep.equal(['write vote.ndjson', 'fdatasync vote.ndjson']);
    disk.finish();
    expect(disk.calls.slice(2)).to.deep.equal([
      `write ${SEGMENT}`,
      `write ${SEGMENT}`,
      `fdatasync ${SEGMENT}`,
    ]);
    expect(bench.reported).to.deep.equal([]);
    disk.finish();
    expect(bench.reported).to.deep.equal(marks.slice(1));
    await release(disk);
  });

  it('reports a ballot alone only when it and everything before it are durable', async () => {
    const { disk, bench } = await held();
    const first = bench.write({ entries: entries(1, 1) });
    const second = bench.write({ ballot: { term: 2, vote: null } });
    expect(disk.waiting, 'different files sync side by side').to.equal(2);
    disk.finish(1);
    await turn();
    expect(bench.reported).to.deep.equal([]);
    disk.finish();
    await turn();
    expect(bench.reported).to.deep.equal([first, second]);
    await release(disk);
  });

  it('syncs nothing for a commit point alone, and reports it in a later turn', async () => {
    const { disk, bench } = await held();
    bench.write({ entries: entries(1, 1) });
    disk.finish();
    bench.reported.length = 0;
    disk.calls.length = 0;
    const mark = bench.write({ commit: 1 });
    expect(bench.reported).to.deep.equal([]);
    await turn();
    expect(bench.reported).to.deep.equal([mark]);
    expect(disk.calls).to.deep.equal([]);
    await release(disk);
  });

  it('begins a segment only when the old one is wholly durable, and reports it only with its name synced', async () => {
    const { disk, bench } = await held({ segmentBytes: 100 });
    bench.write({ entries: entries(1, 3) });
    const last = bench.write({ entries: entries(4, 6) });
    const name = '0000000000000004.ndjson';
    await turn();
    expect(disk.calls).to.deep.equal([`write ${SEGMENT}`, `fdatasync ${SEGMENT}`]);
    disk.calls.length = 0;
    disk.finish();
    expect(disk.calls).to.deep.equal([`open ${name}`, 'fsync log']);
    disk.finish();
    expect(disk.calls.slice(2)).to.deep.equal([`write ${name}`, `fdatasync ${name}`]);
    expect(bench.reported).not.to.include(last);
    disk.finish();
    expect(bench.reported).to.include(last);
    await release(disk);
  });

  it('syncs a commit point at the end of a full segment before the next one begins', async () => {
    const { disk, bench } = await held({ segmentBytes: 100 });
    disk.isHolding = false;
    await bench.durable(bench.write({ entries: entries(1, 3) }));
    const commits = () => disk.calls.filter(call => call === `write ${SEGMENT}`).length;
    bench.write({ commit: 2 });
    for (const began = Date.now(); commits() < 2 && Date.now() - began < 5_000; ) {
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    expect(commits(), 'a commit point that nothing follows is written after a while').to.equal(2);
    disk.calls.length = 0;
    await bench.durable(bench.write({ entries: entries(4, 4) }));
    expect(disk.calls.slice(0, 2)).to.deep.equal([`fdatasync ${SEGMENT}`, 'open 0000000000000004.ndjson']);
  });

  it('replaces the file of ballots when it has grown, and loses none on the way', async () => {
    const disk = new FaultyDisk();
    const path = scratch.directory();
    const bench = await scratch.open(path, { files: disk, ballotBytes: 200 });
    for (let term = 1; term <= 40; term += 1) {
      await bench.durable(bench.write({ ballot: { term, vote: `n${term}` } }));
      expect(readFileSync(join(path, 'vote.ndjson'), 'utf8')).to.include(
        `{"term":${term},"vote":"n${term}"}\n`,
      );
    }
    const at = disk.calls.indexOf('rename vote.ndjson');
    expect(disk.calls.slice(at - 3, at + 2)).to.deep.equal([
      'open vote.ndjson.tmp',
      'write vote.ndjson.tmp',
      'fdatasync vote.ndjson.tmp',
      'rename vote.ndjson',
      'fsync data',
    ]);
    await bench.close();
    const { recovered } = (await scratch.open(path)).opened;
    expect(recovered.ballot).to.deep.equal({ term: 40, vote: 'n40' });
  });

  const failures: [what: string, call: string, batch: Written][] = [
    ['sync of the log', `fdatasync ${SEGMENT}`, { entries: entries(1, 1) }],
    ['write of the log', `write ${SEGMENT}`, { entries: entries(1, 1) }],
    [
      'sync of a ballot',
      'fdatasync vote.ndjson',
      { ballot: { term: 2, vote: null }, entries: entries(1, 1) },
    ],
    ['write of a ballot', 'write vote.ndjson', { ballot: { term: 2, vote: null } }],
  ];
  for (const [what, call, batch] of failures) {
    it(`is over at a failed ${what}: it says so once, reports nothing, and does not try again`, async () => {
      const { disk, bench } = await held();
      disk.isHolding = false;
      disk.failures.set(call, 'EIO');
      bench.write(batch);
      bench.write({ commit: 0 });
      await turn();
      await turn();
      expect(bench.fatal).to.have.length(1);
      expect(bench.fatal[0]?.message).to.include('EIO').and.to.include('this node stops');
      const calls = disk.calls.length;
      bench.write({ entries: entries(1, 2) });
      await turn();
      expect(disk.calls).to.have.length(calls);
      expect(bench.reported).to.deep.equal([]);
    });
  }

  it('takes a failed sync of the directory of a new segment as seriously', async () => {
    const { disk, bench } = await held({ segmentBytes: 100 });
    disk.isHolding = false;
    await bench.durable(bench.write({ entries: entries(1, 3) }));
    disk.failures.set('fsync log', 'EIO');
    const mark = bench.write({ entries: entries(4, 4) });
    await turn();
    expect(bench.fatal).to.have.length(1);
    expect(bench.reported).not.to.include(mark);
  });

  it('does not take a sync that runs out of space for a full disk: what the disk holds is unknown', async () => {
    const { disk, bench } = await held();
    disk.isHolding = false;
    disk.failures.set(`fdatasync ${SEGMENT}`, 'ENOSPC');
    bench.write({ entries: entries(1, 1) });
    await turn();
    expect(bench.fatal).to.have.length(1);
  });

  it('has everything on the disk when it is closed', async () => {
    const { disk, bench, path } = await held();
    const mark = bench.write({ ballot: { term: 2, vote: null }, entries: entries(1, 5, 2) });
    const closed = bench.close();
    await release(disk);
    await closed;
    expect(bench.reported).to.include(mark);
    expect(disk.descriptors).to.equal(0);
    expect(texts((await scratch.open(path)).opened.recovered.entries)).to.deep.equal(texts(entries(1, 5, 2)));
  });
});

describe('the journal: closing', () => {
  it('takes a failure of its last sync as seriously as any other', async () => {
    const { disk, bench } = await held();
    disk.isHolding = false;
    await bench.durable(bench.write({ entries: entries(1, 1) }));
    await bench.durable(bench.write({ commit: 1 }));
    disk.failures.set(`fsyncNow ${SEGMENT}`, 'EIO');
    await bench.close();
    expect(bench.fatal).to.have.length(1);
  });
});

describe('the journal: a full disk', () => {
  it('keeps what was there, acknowledges nothing, and goes on in order when there is room again', async () => {
    const { disk, bench, path } = await held();
    disk.isHolding = false;
    await bench.durable(bench.write({ entries: entries(1, 3) }));
    const [segment = ''] = segments(path);
    const before = readFileSync(segment, 'utf8');
    disk.room = 100;
    const marks = [
      bench.write({ entries: entries(4, 6), commit: 3 }),
      bench.write({ ballot: { term: 2, vote: 'n2' } }),
      bench.write({ entries: entries(5, 8, 2) }),
    ];
    await turn();
    expect(bench.storage.isFull).to.equal(true);
    expect(readFileSync(segment, 'utf8'), 'cut back to the last whole record').to.equal(before);
    expect(bench.reported.at(-1)).to.be.lessThan(marks[0] ?? 0);
    expect(texts(bench.storage.read(4, 8, 1e9)), 'what waits can be read').to.deep.equal(
      texts(entries(4, 4)),
    );
    expect(texts(bench.storage.read(5, 8, 1e9))).to.deep.equal(texts(entries(5, 5, 2)));
    expect(texts(bench.storage.read(2, 8, 1e9))).to.deep.equal(texts(entries(2, 3)));
    disk.room = Number.POSITIVE_INFINITY;
    await bench.durable(marks[2] ?? 0);
    expect(bench.storage.isFull).to.equal(false);
    expect(bench.fatal).to.deep.equal([]);
    await bench.close();
    const { recovered } = (await scratch.open(path)).opened;
    expect(texts(recovered.entries)).to.deep.equal(texts([...entries(1, 4), ...entries(5, 8, 2)]));
    expect(recovered.ballot).to.deep.equal({ term: 2, vote: 'n2' });
  });

  for (const [what, call] of [
    ['a ballot', 'write vote.ndjson'],
    ['a new segment', 'open 0000000000000004.ndjson'],
  ] as const) {
    it(`waits with ${what} too`, async () => {
      const { disk, bench, path } = await held({ segmentBytes: 100 });
      disk.isHolding = false;
      await bench.durable(bench.write({ entries: entries(1, 3) }));
      disk.failures.set(call, 'ENOSPC');
      const mark = bench.write({ ballot: { term: 2, vote: null }, entries: entries(4, 4, 2) });
      await turn();
      expect(bench.storage.isFull).to.equal(true);
      await bench.durable(mark);
      await bench.close();
      expect((await scratch.open(path)).opened.recovered.entries).to.have.length(4);
    });
  }

  it('can be closed: what waited was never acknowledged, and is given up', async () => {
    const { disk, bench, path } = await held();
    disk.isHolding = false;
    disk.room = 10;
    bench.write({ entries: entries(1, 3) });
    await bench.close();
    expect(bench.reported).to.deep.equal([]);
    expect((await scratch.open(path)).opened.recovered.entries).to.deep.equal([]);
  });
});
