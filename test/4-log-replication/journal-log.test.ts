import { readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { DataError } from '../../src/node/data-error.ts';
import { FaultyDisk } from './journal-faults.ts';
import { type Bench, contents, entries, entry, Scratch, segments, texts } from './journal-kit.ts';

const scratch = new Scratch();
afterEach(() => scratch.clean());

const ballot = { term: 1, vote: 'n1' };

/** Writes entries in batches of three, so that a log of small segments is made of several. */
async function fill(bench: Bench, from: number, to: number, term: number): Promise<void> {
  let mark = 0;
  for (let first = from; first <= to; first += 3) {
    mark = bench.write({ entries: entries(first, Math.min(first + 2, to), term) });
  }
  await bench.durable(mark);
}

describe('the journal: a log on a disk', () => {
  it('gives back the ballot, the entries and the commit point that were written', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path);
    expect(bench.opened.recovered).to.deep.equal({
      ballot: { term: 0, vote: null },
      base: { index: 0, term: 0 },
      entries: [],
      commit: 0,
    });
    const written = [...entries(1, 3), entry(4, 1, 'ü\u2028\n\0 "')];
    await bench.durable(bench.write({ ballot, entries: written, commit: 2 }));
    await bench.close();
    const { recovered } = (await scratch.open(path)).opened;
    expect(recovered.ballot).to.deep.equal(ballot);
    expect(texts(recovered.entries)).to.deep.equal(texts(written));
    expect(recovered.commit).to.equal(2);
  });

  it('is text of one record a line: checksum, space, JSON', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path, { cluster: 'c1' });
    await bench.durable(bench.write({ ballot, entries: entries(1, 2), commit: 1 }));
    await bench.close();
    const json = (file: string) => readFileSync(file, 'utf8').replace(/^[0-9a-f]{8} /gm, '');
    expect(json(join(path, 'node.json'))).to.match(
      /^\{"format":1,"node":"n1","cluster":"c1","instance":"[0-9a-f]{16}"\}\n$/,
    );
    expect(json(join(path, 'vote.ndjson'))).to.equal('{"term":1,"vote":"n1"}\n');
    const [segment = ''] = segments(path);
    expect(basename(segment)).to.equal('0000000000000001.ndjson');
    expect(json(segment)).to.equal(
      '[1,1,{"op":"set","key":"/1","value":"1"}]\n[2,1,{"op":"set","key":"/2","value":"1"}]\n{"commit":1}\n',
    );
  });

  it('lets nobody but its own user read what it holds', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path, { segmentBytes: 100, ballotBytes: 50 });
    bench.write({ ballot });
    bench.write({ ballot: { term: 2, vote: null } });
    await fill(bench, 1, 9, 2);
    for (const name of ['', 'log']) expect(statSync(join(path, name)).mode & 0o777).to.equal(0o700);
    for (const file of Object.keys(contents(path))) expect(statSync(file).mode & 0o777, file).to.equal(0o600);
  });

  it('writes a commit point that comes alone with the next entries, or when it closes', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path);
    bench.write({ ballot, entries: entries(1, 2) });
    const [segment = ''] = segments(path);
    await bench.durable(bench.write({ commit: 1 }));
    expect(readFileSync(segment, 'utf8')).not.to.include('commit');
    await bench.durable(bench.write({ entries: entries(3, 3) }));
    expect(readFileSync(segment, 'utf8').trimEnd().split('\n').at(-1)).to.match(/ \{"commit":1\}$/);
    await bench.durable(bench.write({ commit: 3 }));
    await bench.close();
    expect((await scratch.open(path)).opened.recovered.commit).to.equal(3);
  });

  it('never records a commit point of a later batch ahead of the entries that it covers', async () => {
    const path = scratch.directory();
    const disk = new FaultyDisk();
    const bench = await scratch.open(path, { files: disk });
    await bench.durable(bench.write({ ballot }));
    disk.isHolding = true;
    bench.write({ ballot: { term: 2, vote: null } });
    bench.write({ entries: entries(1, 3, 1) });
    const last = bench.write({ entries: entries(2, 4, 2), commit: 3 });
    disk.isHolding = false;
    disk.finish();
    await bench.durable(last);
    await bench.close();
    const { recovered } = (await scratch.open(path)).opened;
    expect(texts(recovered.entries)).to.deep.equal(texts([...entries(1, 1, 1), ...entries(2, 4, 2)]));
    expect(recovered.commit).to.equal(3);
  });

  it('goes on in a new segment when one is full, and reads them all again', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path, { segmentBytes: 200 });
    bench.write({ ballot });
    await fill(bench, 1, 30, 1);
    const { extent } = bench.storage;
    await bench.close();
    expect(segments(path).length).to.be.greaterThan(4);
    const bytes = segments(path).reduce((sum, file) => sum + statSync(file).size, 0);
    expect(extent).to.deep.equal({ first: 1, last: 30, bytes });
    const again = await scratch.open(path, { segmentBytes: 200 });
    expect(texts(again.opened.recovered.entries)).to.deep.equal(texts(entries(1, 30)));
    await fill(again, 31, 40, 1);
    await again.close();
    const last = await scratch.open(path);
    expect(texts(last.opened.recovered.entries)).to.deep.equal(texts(entries(1, 40)));
  });

  it('replaces a suffix, across segments too, without touching what was written', async () => {
    const path = scratch.directory();
    const options = { segmentBytes: 200 };
    const bench = await scratch.open(path, options);
    bench.write({ ballot });
    await fill(bench, 1, 20, 1);
    const before = contents(path);
    bench.write({ ballot: { term: 2, vote: 'n2' } });
    await fill(bench, 8, 12, 2);
    bench.write({ ballot: { term: 3, vote: 'n3' } });
    await fill(bench, 10, 40, 3);
    const after = contents(path);
    for (const [file, text] of Object.entries(before)) expect(after[file]?.startsWith(text)).to.equal(true);
    const wanted = [...entries(1, 7, 1), ...entries(8, 9, 2), ...entries(10, 40, 3)];
    const readBack = () => Array.from({ length: 40 }, (_, at) => bench.storage.read(at + 1, 40, 1)).flat();
    expect(texts(readBack())).to.deep.equal(texts(wanted));
    await bench.close();
    expect(texts((await scratch.open(path, options)).opened.recovered.entries)).to.deep.equal(texts(wanted));
  });

  it('reads old entries back from the disk, within a bound but one at least', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path, { segmentBytes: 300_000 });
    const size = 2_000;
    const long = (index: number) => entry(index, 1, 'ä'.repeat(size / 2));
    const written = Array.from({ length: 500 }, (_, at) => long(at + 1));
    bench.write({ ballot });
    let mark = 0;
    for (let at = 0; at < written.length; at += 50)
      mark = bench.write({ entries: written.slice(at, at + 50) });
    await bench.durable(mark);
    const check = ({ storage }: Bench) => {
      expect(texts(storage.read(1, 500, 1e9))).to.deep.equal(texts(written));
      expect(texts(storage.read(140, 160, 1e9))).to.deep.equal(texts(written.slice(139, 160)));
      expect(storage.read(77, 400, size * 10.5)).to.have.length(10);
      expect(texts(storage.read(333, 400, 1))).to.deep.equal(texts(written.slice(332, 333)));
      expect(storage.read(500, 900, 1e9)).to.have.length(1);
      expect(() => storage.read(501, 501, 1)).to.throw(RangeError);
      expect(storage.read(4, 4, 1)[0]?.line).to.equal(written[3]?.line);
    };
    check(bench);
    await bench.close();
    check(await scratch.open(path));
  });

  it('reads with one open descriptor for a segment, however many there are', async () => {
    const disk = new FaultyDisk();
    const bench = await scratch.open(scratch.directory(), { segmentBytes: 100, files: disk });
    bench.write({ ballot });
    await fill(bench, 1, 60, 1);
    const before = disk.descriptors;
    expect(bench.storage.read(1, 60, 1e9)).to.have.length(60);
    expect(disk.descriptors).to.equal(before);
  });

  it('begins segments and reads back although others have used up the descriptors', async () => {
    const disk = new FaultyDisk();
    const path = scratch.directory();
    const bench = await scratch.open(path, { segmentBytes: 100, files: disk });
    bench.write({ ballot });
    await fill(bench, 1, 3, 1);
    disk.mostOpen = disk.descriptors;
    await fill(bench, 4, 30, 1);
    expect(texts(bench.storage.read(1, 30, 1e9))).to.deep.equal(texts(entries(1, 30)));
    expect(bench.fatal).to.deep.equal([]);
    expect(segments(path).length).to.be.greaterThan(3);
  });

  it('drops the segments that nobody needs, and begins behind the entry that it is told', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path, { segmentBytes: 200 });
    bench.write({ ballot });
    await fill(bench, 1, 30, 1);
    await bench.durable(bench.write({ commit: 20 }));
    const before = segments(path);
    const { bytes } = bench.storage.extent;
    bench.storage.compact({ index: 17, term: 1 }, 12);
    const after = segments(path);
    expect(after.length).to.be.lessThan(before.length);
    expect(Number.parseInt(basename(after[0] ?? ''), 10), 'what comes after 12 stays').to.be.within(2, 13);
    expect(bench.storage.extent).to.include({ first: 18, last: 30 });
    expect(bench.storage.extent.bytes).to.be.within(1, bytes - 1);
    expect(() => bench.storage.read(17, 20, 100)).to.throw(RangeError);
    expect(texts(bench.storage.read(18, 30, 1e9))).to.deep.equal(texts(entries(18, 30)));
    await bench.close();
    await expectDamage(path, 'is missing');
  });

  it('begins anew where it is told, and knows it again', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path, { segmentBytes: 200 });
    bench.write({ ballot, entries: entries(1, 9) });
    await bench.durable(bench.write({ begins: { index: 40, term: 1 }, commit: 40 }));
    expect(bench.storage.extent).to.include({ first: 41, last: 40, bytes: 0 });
    await fill(bench, 41, 60, 1);
    expect(texts(bench.storage.read(41, 60, 1e9))).to.deep.equal(texts(entries(41, 60)));
    expect(() => bench.write({ begins: { index: 40, term: 1 } })).to.throw('back to 40');
    await bench.close();
    // Without the snapshot that stands for what was before, there is no going on.
    await expectDamage(path, 'begins behind entry 40');
  });

  it('stops a core that writes what its log cannot hold', async () => {
    const bench = await scratch.open(scratch.directory());
    bench.write({ ballot, entries: entries(1, 4), commit: 2 });
    expect(() => bench.write({ entries: entries(6, 6) })).to.throw('entry 6 after 4');
    expect(() => bench.write({ entries: entries(2, 2) })).to.throw('committed');
    expect(() => bench.write({ commit: 9 })).to.throw('beyond');
    expect(() => bench.write({ entries: entries(5, 5, 2) })).to.throw('ballot');
  });
});

async function expectDamage(path: string, words: string): Promise<void> {
  const error = await scratch.open(path).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(DataError);
  expect((error as DataError).message).to.include(words);
}
