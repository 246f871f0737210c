import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { encodeRecord, entryLine } from '../../src/node/record.ts';
import { failureOf } from '../1-client/servers.ts';
import { contents, entries, entry, Scratch, segments } from './journal-kit.ts';

const scratch = new Scratch();
afterEach(() => scratch.clean());

/** A process that runs the verb with the flags of its argument, and says how much memory it took. */
const PROGRAM = `
  const { log } = await import(${JSON.stringify(fileURLToPath(new URL('../../bin/log.js', import.meta.url)))});
  const flags = JSON.parse(process.argv[1]);
  process.exitCode = await log.run({ words: [], flags, rest: [] });
  if (flags.memory) process.stderr.write(String(process.resourceUsage().maxRSS));
`;

interface Printed {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the verb; with `most`, stops reading after so many bytes of its output. */
async function run(flags: Record<string, unknown>, most = Number.POSITIVE_INFINITY): Promise<Printed> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, JSON.stringify(flags)]);
  const out: Buffer[] = [];
  let err = '';
  let size = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > most) child.stdout.destroy();
    else out.push(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const status = await new Promise<number | null>(resolve => child.once('close', resolve));
  return { status, out: Buffer.concat(out).toString(), err };
}

/** A node with a log in which a suffix was replaced; still running. */
async function running(): Promise<string> {
  const path = scratch.directory();
  const bench = await scratch.open(path, { cluster: 'c1', segmentBytes: 100 });
  bench.write({ ballot: { term: 1, vote: null }, entries: [{ index: 1, term: 1, command: null, size: 10 }] });
  bench.write({ entries: entries(2, 4, 1), commit: 2 });
  bench.write({ ballot: { term: 2, vote: 'n2' } });
  await bench.durable(bench.write({ entries: [...entries(3, 3, 2), entry(4, 2, '\u009b2J')] }));
  return path;
}

/** Takes the line that holds a text out of the only segment. */
function withoutLine(path: string, text: string): void {
  const [segment = ''] = segments(path);
  const lines = readFileSync(segment, 'utf8').split('\n');
  writeFileSync(segment, lines.filter(line => !line.includes(text)).join('\n'));
}

describe('raftline log', () => {
  it('prints entries, terms and commit points of a running node, and disturbs nothing', async () => {
    const path = await running();
    const before = contents(path);
    const { status, out, err } = await run({ data: path });
    expect(err).to.equal('');
    expect(out).to.equal(
      [
        'node n1, cluster c1: term 2, voted for n2',
        '       1  term 1  no-op',
        '       2  term 1  {"op":"set","key":"/2","value":"1"}',
        '       3  term 1  {"op":"set","key":"/3","value":"1"}',
        '       4  term 1  {"op":"set","key":"/4","value":"1"}',
        '          committed up to 2',
        '          replaced from 3 on',
        '       3  term 2  {"op":"set","key":"/3","value":"2"}',
        '       4  term 2  {"op":"set","key":"/4","value":"2\\u009b2J"}',
        '',
      ].join('\n'),
    );
    expect(status).to.equal(0);
    expect(contents(path)).to.deep.equal(before);
  });

  it('begins where it is told to, and gives the JSON of each record', async () => {
    const path = await running();
    const { out } = await run({ data: path, from: 3, json: true });
    const lines = out.trimEnd().split('\n');
    const values = lines.map(line => JSON.parse(line) as unknown[]);
    expect(values.map(([index, term]) => [index, term])).to.deep.equal([
      [3, 1],
      [4, 1],
      [3, 2],
      [4, 2],
    ]);
  });

  it('leaves out a record that is not whole, and says so', async () => {
    const path = await running();
    const last = segments(path).at(-1) ?? '';
    const size = readFileSync(last).length;
    appendFileSync(last, entryLine(entry(5, 2)).slice(0, 20));
    const { status, out, err } = await run({ data: path });
    expect(status).to.equal(0);
    expect(out).not.to.include('       5  ');
    expect(err).to.include(last).and.to.include(`byte ${size}`);
  });

  it('prints up to a damaged record, names it, and answers no', async () => {
    const path = await running();
    const [first = ''] = segments(path);
    const bytes = readFileSync(first);
    const at = bytes.indexOf('"/3"');
    bytes[at + 2] = 0x34;
    writeFileSync(first, bytes);
    const { status, out, err } = await run({ data: path });
    expect(status).to.equal(1);
    expect(out.trimEnd().split('\n')).to.have.length(3);
    expect(err).to.include(`${first} is damaged at byte ${bytes.lastIndexOf('\n', at) + 1}`);
  });

  for (const [what, spoil, words] of [
    [
      'an entry is missing in the middle',
      (path: string) => withoutLine(path, '"/3"'),
      'entry 4 follows entry 2',
    ],
    ['the only segment is missing', (path: string) => rmSync(segments(path)[0] ?? ''), 'entry 1 is missing'],
    [
      'a sound record is nothing that a log has',
      (path: string) => appendFileSync(segments(path)[0] ?? '', `${encodeRecord({ other: 5 })}\n`),
      'neither an entry nor a commit point',
    ],
    ['the ballots are missing', (path: string) => rmSync(`${path}/vote.ndjson`), 'the vote of this node'],
    ['there is no ballot', (path: string) => writeFileSync(`${path}/vote.ndjson`, ''), 'an entry of term 1'],
  ] as const) {
    it(`prints what there is when ${what}, and ends with what serve would say`, async () => {
      const path = scratch.directory();
      const bench = await scratch.open(path);
      bench.write({ ballot: { term: 1, vote: null } });
      await bench.durable(bench.write({ entries: entries(1, 5, 1), commit: 2 }));
      await bench.close();
      spoil(path);
      const before = contents(path);
      const { message } = await failureOf(scratch.open(path));
      expect(message).to.include(words);
      const { status, out, err } = await run({ data: path });
      expect({ status, err }).to.deep.equal({ status: 1, err: `raftline: log: ${message}\n` });
      expect(out).to.match(/^node n1, no cluster: /);
      expect(out.includes('       5  term 1')).to.equal(segments(path).length > 0);
      expect(contents(path)).to.deep.equal(before);
    });
  }

  it('says so when it is given no data directory', async () => {
    const { status, err } = await run({});
    expect(status).to.equal(2);
    expect(err).to.include('--data');
    const path = scratch.directory();
    const other = await run({ data: path });
    expect(other.status).to.equal(2);
    expect(other.err).to.include(`raftline: log: ${path} is not a data directory`);
  });

  it('holds no more of a long log than it prints at once, and ends quietly when nobody reads on', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path);
    await bench.durable(bench.write({ ballot: { term: 1, vote: null } }));
    await bench.close();
    const fd = openSync(segments(path)[0] ?? '', 'a');
    const text = 'x'.repeat(100_000);
    for (let index = 1; index <= 4_500; index += 1) writeSync(fd, `${entryLine(entry(index, 1, text))}\n`);
    closeSync(fd);
    const whole = await run({ data: path, memory: true });
    expect(whole.status).to.equal(0);
    expect(whole.out.length).to.be.greaterThan(450_000_000);
    expect(Number(whole.err) * 1_024, 'bytes of memory').to.be.lessThan(400_000_000);
    const head = await run({ data: path }, 1_000);
    expect(head.status).to.equal(0);
    expect(head.err).to.equal('');
  });
});
