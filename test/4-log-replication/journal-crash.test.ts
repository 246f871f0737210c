import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Ballot, Entry } from '../../src/raft/entry.ts';
import { FaultyDisk } from './journal-faults.ts';
import { type Bench, entry, Scratch, texts, turn } from './journal-kit.ts';

const scratch = new Scratch();
afterEach(() => scratch.clean());

/** Numbers from a seed (mulberry32), each from 0 to n. */
function dice(seed: number): (n: number) => number {
  let state = seed;
  return n => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * (n + 1));
  };
}

/** What a node may have after a crash: each state that its log and its ballot went through, in order. */
class Model {
  /** The log after each entry that was ever written, and the ballots. */
  readonly logs: string[][] = [[]];
  readonly ballots: Ballot[] = [{ term: 0, vote: null }];
  log: Entry[] = [];
  commit = 0;
  /** What each mark promises: a place in `logs` and one in `ballots`. */
  readonly marks: { readonly log: number; readonly ballot: number }[] = [{ log: 0, ballot: 0 }];

  get term(): number {
    return this.ballots.at(-1)?.term ?? 0;
  }

  cast(ballot: Ballot): void {
    this.ballots.push(ballot);
  }

  append(entries: readonly Entry[]): void {
    for (const next of entries) {
      this.log = [...this.log.slice(0, next.index - 1), next];
      this.logs.push(texts(this.log));
    }
  }

  marked(): void {
    this.marks.push({ log: this.logs.length - 1, ballot: this.ballots.length - 1 });
  }

  /** A model that begins with what was recovered. */
  static after({ ballot, entries, commit }: Bench['opened']['recovered']): Model {
    const model = new Model();
    model.cast(ballot);
    model.append(entries);
    model.commit = commit;
    model.marks[0] = { log: model.logs.length - 1, ballot: 1 };
    return model;
  }
}

/** Writes one batch that a core might write: now and then a new term, new entries, a new suffix, a commit point. */
function writeSomething(bench: Bench, model: Model, roll: (n: number) => number): void {
  let ballot: Ballot | undefined;
  if (model.term === 0 || roll(9) === 0) {
    ballot = { term: model.term + 1, vote: roll(1) === 0 ? 'n1' : null };
    model.cast(ballot);
  }
  const isReplacing = roll(9) === 0;
  const first = isReplacing ? model.commit + 1 + roll(model.log.length - model.commit) : model.log.length + 1;
  const before = model.log[first - 2]?.term ?? 1;
  const term = Math.max(before, model.term - roll(1));
  const batch = Array.from({ length: roll(4) }, (_, at) => entry(first + at, term, 'x'.repeat(roll(60))));
  model.append(batch);
  if (roll(2) === 0) model.commit += roll(model.log.length - model.commit);
  model.marked();
  bench.write({ ...(ballot ? { ballot } : {}), entries: batch, commit: model.commit });
}

/** Checks that what was recovered is a state no older than the last that was promised. */
function check(recovered: Bench['opened']['recovered'], model: Model, mark: number, words: string): void {
  const promised = model.marks[mark];
  const found = texts(recovered.entries).join('\n');
  const log = model.logs.findLastIndex(state => state.join('\n') === found);
  expect(log, `${words}: a log that never was`).to.be.at.least(0);
  expect(log, `${words}: promised entries are gone`).to.be.at.least(promised?.log ?? 0);
  const ballot = model.ballots.findLastIndex(
    ({ term, vote }) => term === recovered.ballot.term && vote === recovered.ballot.vote,
  );
  expect(ballot, `${words}: a promised ballot is gone`).to.be.at.least(promised?.ballot ?? 0);
  expect(recovered.ballot.term, `${words}: entries before their ballot`).to.be.at.least(
    recovered.entries.at(-1)?.term ?? 0,
  );
  expect(recovered.commit, words).to.be.at.most(Math.min(model.commit, recovered.entries.length));
}

describe('the journal: loss of power', () => {
  it('keeps everything that was reported durable, and no more than was written, whenever it comes', async () => {
    let torn = 0;
    for (let seed = 1; seed <= 25; seed += 1) {
      const roll = dice(seed);
      let path = scratch.directory();
      let model = new Model();
      for (let life = 1; life <= 5; life += 1) {
        const disk = new FaultyDisk();
        const bench = await scratch.open(path, { files: disk, segmentBytes: 700, ballotBytes: 150 });
        torn += bench.warnings.length;
        disk.isHolding = true;
        for (let steps = roll(60); steps >= 0; steps -= 1) {
          if (roll(2) > 0) writeSomething(bench, model, roll);
          else if (disk.waiting > 0) disk.finish(roll(disk.waiting - 1));
          if (roll(3) === 0) await turn();
        }
        const next = scratch.directory();
        disk.crash(path, next, roll);
        const promised = bench.reported.at(-1) ?? 0;
        disk.isHolding = false;
        while (disk.waiting > 0) {
          disk.finish();
          await turn();
        }
        await bench.close();
        const words = `seed ${seed}, life ${life}`;
        expect(bench.fatal, words).to.deep.equal([]);
        path = next;
        const again = await scratch.open(path, { segmentBytes: 700, ballotBytes: 150 });
        const { recovered } = again.opened;
        check(recovered, model, promised, words);
        torn += again.warnings.length;
        await again.close();
        model = Model.after(recovered);
      }
    }
    expect(torn, 'some records were torn').to.be.greaterThan(10);
  });
});

describe('the journal: real processes', () => {
  const writer = fileURLToPath(new URL('./journal-writer.js', import.meta.url));

  it('reports what an fdatasync that began after the write has covered', function () {
    if (spawnSync('strace', ['-V']).error !== undefined) {
      process.stderr.write('skipped: strace is not installed, and shows what a process asks of its disk\n');
      this.skip();
    }
    const path = scratch.directory();
    const trace = join(dirname(path), 'trace');
    const calls = 'trace=write,pwrite64,fdatasync,fsync';
    const run = spawnSync('strace', [
      '-f',
      '-s',
      '4000',
      '-e',
      calls,
      '-o',
      trace,
      process.execPath,
      writer,
      path,
      '40',
    ]);
    if (/ptrace|not permitted/i.test(run.stderr.toString())) this.skip();
    expect(run.status, run.stderr.toString()).to.equal(0);
    let written = 0;
    const covering = new Map<string, number>();
    let durable = 0;
    let reports = 0;
    for (const line of readFileSync(trace, 'utf8').split('\n')) {
      const thread = line.split(' ')[0] ?? '';
      const isEnd = line.endsWith('= 0');
      if (/\b(fdatasync|fsync)\(/.test(line)) covering.set(thread, written);
      if (/\b(fdatasync|fsync)[( ]/.test(line) && isEnd)
        durable = Math.max(durable, covering.get(thread) ?? 0);
      if (line.includes('pwrite64(')) {
        for (const [, index] of line.matchAll(/ \[(\d+),/g)) written = Math.max(written, Number(index));
      }
      const report = /write\(1, "durable (\d+)/.exec(line)?.[1];
      if (report !== undefined) {
        reports += 1;
        expect(Number(report), line).to.be.at.most(durable);
      }
    }
    expect(reports).to.be.greaterThan(1);
    expect(durable).to.be.greaterThan(40);
  });

  it('ends with a message and a status when the disk fails', async () => {
    const path = scratch.directory();
    const child = spawn(process.execPath, [writer, path, '3', 'EIO'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    let reported = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.stdout.on('data', (chunk: Buffer) => {
      reported += chunk.toString();
    });
    const status = await new Promise(resolve => child.once('close', resolve));
    expect(status).to.equal(1);
    expect(said).to.match(/^raftline: .*EIO.*this node stops.*\n$/);
    expect(said).to.include(path);
    expect(reported, 'nothing but the ballot').to.match(/^(durable 0\n)?$/);
  });
});
