import { appendFileSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect } from 'chai';
import { DataError } from '../../src/node/data-error.ts';
import { encodeRecord } from '../../src/node/record.ts';
import { contents, entries, Scratch, segments, texts } from './journal-kit.ts';

const scratch = new Scratch();
afterEach(() => scratch.clean());

const ballot = { term: 1, vote: 'n1' };

/** A stopped node with a small log: three segments of three entries, and commit points. */
async function stopped(): Promise<string> {
  const path = scratch.directory();
  const bench = await scratch.open(path, { segmentBytes: 100 });
  bench.write({ ballot });
  for (let first = 1; first <= 7; first += 3) {
    await bench.durable(bench.write({ entries: entries(first, first + 2), commit: first }));
  }
  await bench.close();
  return path;
}

/** Opening must fail with this problem at this place, and must change nothing. */
async function refuses(path: string, file: string, offset?: number): Promise<DataError> {
  const before = contents(path);
  const error = await scratch.open(path).then(
    () => undefined,
    (problem: unknown) => problem,
  );
  expect(error, `${basename(file)} at ${offset}`).to.be.instanceOf(DataError);
  const problem = error as DataError;
  expect(contents(path)).to.deep.equal(before);
  expect(problem.file).to.equal(file);
  if (offset !== undefined) {
    expect(problem.offset, problem.message).to.equal(offset);
    expect(problem.message).to.include(file).and.to.include(`byte ${offset}`);
  }
  return problem;
}

/** Where the line of a file that holds this byte begins. */
function lineAt(bytes: Buffer, at: number): number {
  return at === 0 ? 0 : bytes.lastIndexOf('\n', at - 1) + 1;
}

describe('the journal: what a crash leaves, and what it cannot have left', () => {
  it('drops a last record torn at any byte, says so, and goes on from there', async () => {
    const path = await stopped();
    const last = segments(path).at(-1) ?? '';
    const whole = readFileSync(last);
    for (let length = 0; length < whole.length; length += 1) {
      writeFileSync(last, whole.subarray(0, length));
      const bench = await scratch.open(path);
      const kept = whole.subarray(0, lineAt(whole, length));
      expect(readFileSync(last, 'latin1'), 'cut back').to.equal(kept.toString('latin1'));
      const count = kept.toString().match(/ \[/g)?.length ?? 0;
      expect(texts(bench.opened.recovered.entries)).to.deep.equal(texts(entries(1, 6 + count)));
      const isTorn = kept.length < length;
      expect(bench.warnings).to.have.length(isTorn ? 1 : 0);
      if (isTorn) expect(bench.warnings[0]).to.include(last).and.to.include(`byte ${kept.length}`);
      await bench.durable(bench.write({ entries: entries(7 + count, 7 + count, 1, 'again') }));
      await bench.close();
      const again = await scratch.open(path);
      expect(again.opened.recovered.entries.at(-1)?.command).to.include({ value: '1again' });
      await again.close();
    }
  });

  it('takes NULs at the end for a block that never arrived', async () => {
    const path = await stopped();
    const last = segments(path).at(-1) ?? '';
    const whole = readFileSync(last);
    for (const kept of [whole.length, whole.length - 1, whole.length - 10]) {
      writeFileSync(last, Buffer.concat([whole.subarray(0, kept), Buffer.alloc(600)]));
      const bench = await scratch.open(path);
      expect(bench.warnings).to.have.length(1);
      expect(texts(bench.opened.recovered.entries)).to.deep.equal(texts(entries(1, 9)));
      await bench.close();
    }
  });

  it('reports every flipped bit of every file with its place, and never cuts it off', async () => {
    const path = await stopped();
    const files = [join(path, 'node.json'), join(path, 'vote.ndjson'), ...segments(path)];
    for (const file of files) {
      const whole = readFileSync(file);
      for (let at = 0; at < whole.length; at += 1) {
        const broken = Buffer.from(whole);
        broken[at] = (whole[at] ?? 0) ^ (1 << (at % 8));
        writeFileSync(file, broken);
        await refuses(path, file, lineAt(whole, at));
      }
      writeFileSync(file, whole);
    }
    expect((await scratch.open(path)).opened.recovered.entries).to.have.length(9);
  });

  it('reports a hole of NULs with a sound record behind it: that one may have been acknowledged', async () => {
    const path = await stopped();
    const last = segments(path).at(-1) ?? '';
    const whole = readFileSync(last);
    whole.fill(0, 20, 40);
    writeFileSync(last, whole);
    await refuses(path, last, 0);
  });

  it('reports a torn record at the end of a segment that another follows', async () => {
    const path = await stopped();
    const [first = ''] = segments(path);
    const whole = readFileSync(first);
    truncateSync(first, whole.length - 5);
    await refuses(path, first, lineAt(whole, whole.length - 5));
  });

  for (const which of [0, 1]) {
    it(`reports that segment ${which + 1} of three is missing`, async () => {
      const path = await stopped();
      const gone = segments(path)[which] ?? '';
      rmSync(gone);
      const message = (await refuses(path, which === 0 ? gone : (segments(path)[1] ?? ''))).message;
      expect(message).to.include('missing');
    });
  }

  it('reports that the whole log is missing', async () => {
    const path = await stopped();
    rmSync(join(path, 'log'), { recursive: true });
    await refuses(path, join(path, 'log', '0000000000000001.ndjson'), 0);
  });

  it('reports a segment under a name that is not its own', async () => {
    const path = await stopped();
    const [, second = '', third = ''] = segments(path);
    rmSync(second);
    renameSync(third, second);
    await refuses(path, second, 0);
  });

  for (const [what, record] of [
    ['an index that was left out', [11, 1, null]],
    ['an entry of an earlier term than the one before', [10, 0, null]],
    ['an entry in the place of a committed one', [7, 1, null]],
    ['a commit point beyond the log', { commit: 10 }],
    ['an entry of a term that no ballot knows', [10, 2, null]],
    ['a record of a kind that this version does not know', { checkpoint: 9 }],
    ['an entry without a command', [10, 1]],
    ['an index that is no number', ['10', 1, null]],
  ] as const) {
    it(`reports ${what}`, async () => {
      const path = await stopped();
      const last = segments(path).at(-1) ?? '';
      const size = readFileSync(last).length;
      appendFileSync(last, `${encodeRecord(record)}\n`);
      const isBallot = what.includes('ballot');
      const vote = join(path, 'vote.ndjson');
      await refuses(path, isBallot ? vote : last, isBallot ? readFileSync(vote).length : size);
    });
  }

  it('reports a record whose checksum fits but that is not JSON', async () => {
    const path = await stopped();
    const last = segments(path).at(-1) ?? '';
    const size = readFileSync(last).length;
    appendFileSync(last, '00000000 \n');
    await refuses(path, last, size);
  });

  it('drops a ballot that was torn, and reports every other damage to the file of ballots', async () => {
    const path = await stopped();
    const vote = join(path, 'vote.ndjson');
    const whole = readFileSync(vote, 'utf8');
    writeFileSync(vote, `${whole}${encodeRecord({ term: 2, vote: 'n2' }).slice(0, 20)}`);
    const bench = await scratch.open(path);
    expect(bench.opened.recovered.ballot).to.deep.equal(ballot);
    expect(bench.warnings).to.have.length(1);
    await bench.close();
    expect(readFileSync(vote, 'utf8')).to.equal(whole);
    for (const record of [
      { term: 1, vote: 'n2' },
      { term: 0, vote: null },
      { term: '2', vote: null },
      [2, 'n2'],
    ]) {
      writeFileSync(vote, `${whole}${encodeRecord(record)}\n`);
      await refuses(path, vote, whole.length);
    }
    rmSync(vote);
    await refuses(path, vote, 0);
  });

  it('does not make a new node of a directory that has lost its node.json', async () => {
    const path = await stopped();
    rmSync(join(path, 'node.json'));
    await refuses(path, join(path, 'node.json'), 0);
  });

  it('reports damage that it meets when it reads an entry back', async () => {
    const path = await stopped();
    const bench = await scratch.open(path);
    const [first = ''] = segments(path);
    const whole = readFileSync(first);
    const at = lineAt(whole, 60);
    whole[at + 20] = 0x21;
    writeFileSync(first, whole);
    expect(() => bench.storage.read(1, 9, 1e9)).to.throw(DataError, `${first} is damaged at byte ${at}`);
  });
});
