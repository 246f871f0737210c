import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { DataError } from '../../src/node/data-error.ts';
import { encodeRecord } from '../../src/node/record.ts';
import { FaultyDisk } from './journal-faults.ts';
import { type BenchOptions, contents, entries, Scratch } from './journal-kit.ts';

const scratch = new Scratch();
afterEach(() => scratch.clean());

const writer = fileURLToPath(new URL('./journal-writer.js', import.meta.url));

/** Opening must fail, with nothing changed; gives what it says. */
async function refusal(path: string, options: BenchOptions = {}): Promise<DataError> {
  const before = contents(path);
  const error = await scratch.open(path, options).then(
    () => undefined,
    (problem: unknown) => problem,
  );
  expect(error).to.be.instanceOf(DataError);
  expect(contents(path)).to.deep.equal(before);
  return error as DataError;
}

describe('the data directory: whose it is', () => {
  it('refuses the directory of another node', async () => {
    const path = scratch.directory();
    await (await scratch.open(path)).close();
    const error = await refusal(path, { node: 'n2' });
    expect(error.problem).to.equal('foreign');
    expect(error.message).to.include(path).and.to.include('n1').and.to.include('n2');
  });

  it('refuses the directory of another cluster, and takes one that is in none yet', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path);
    expect(bench.opened.cluster).to.equal(null);
    bench.opened.join('c1');
    await bench.close();
    const again = await scratch.open(path);
    expect(again.opened.cluster).to.equal('c1');
    expect(() => again.opened.join('c2')).to.throw(DataError, 'c1');
    await again.close();
    const error = await refusal(path, { cluster: 'c2' });
    expect(error.problem).to.equal('foreign');
    expect(error.message).to.include('c1').and.to.include('c2');
    expect(error.message).to.include('start n1 without --nodes').and.not.to.include('empty');
    const other = scratch.directory();
    await (await scratch.open(other)).close();
    await (await scratch.open(other, { cluster: 'c3' })).close();
    expect((await scratch.open(other)).opened.cluster).to.equal('c3');
  });

  it('refuses a directory where this user may not make files, before a compaction has to', async function () {
    if (process.getuid?.() === 0) {
      process.stderr.write('skipped: root may make files in any directory\n');
      this.skip();
    }
    const path = scratch.directory();
    await (await scratch.open(path)).close();
    chmodSync(join(path, 'snapshots'), 0o500);
    const error = await refusal(path);
    expect(error.problem).to.equal('unusable');
    expect(error.message).to.match(/permission denied.*snapshots.*let the user that runs this node own it/);
  });

  it('refuses a format of the future and leaves it as it is', async () => {
    const path = scratch.directory();
    await (await scratch.open(path)).close();
    const file = join(path, 'node.json');
    writeFileSync(file, `${encodeRecord({ format: 2, node: 'n1', cluster: null, shards: 4 })}\n`);
    const error = await refusal(path);
    expect(error.problem).to.equal('future');
    expect(error.message).to.include(file).and.to.include('format 2');
  });

  it('makes the names of its files durable before that of node.json, which says that they are there', async () => {
    const path = scratch.directory();
    const disk = new FaultyDisk();
    await (await scratch.open(path, { files: disk })).close();
    const named = disk.calls.indexOf('rename node.json');
    expect(named).to.be.greaterThan(0);
    expect(disk.calls.slice(0, named)).to.include(`fsyncNow ${basename(path)}`);
  });

  it('makes the directories above its own, and gives up where none can be made', async () => {
    const path = join(scratch.directory(), 'a', 'b', 'c');
    await (await scratch.open(path)).close();
    if (process.platform !== 'linux') return;
    const error = await scratch.open('/proc/raftline/n1').then(
      () => undefined,
      (problem: unknown) => problem,
    );
    expect(String(error)).to.include('/proc/raftline');
  });

  it('says what is wrong with a path that cannot be a directory', async () => {
    const path = scratch.directory();
    writeFileSync(path, 'a file');
    const error = await scratch.open(path).catch((problem: unknown) => problem);
    expect(error).to.be.instanceOf(DataError).and.to.have.property('problem', 'unusable');
  });

  it('says in words that the disk failed while it was opened', async () => {
    const path = scratch.directory();
    await (await scratch.open(path)).close();
    const disk = new FaultyDisk();
    disk.failures.set('fsyncNow vote.ndjson', 'EIO');
    const error = await scratch.open(path, { files: disk }).catch((problem: unknown) => problem);
    expect(error).to.be.instanceOf(DataError).and.to.have.property('problem', 'unusable');
    expect((error as DataError).message)
      .to.include(path)
      .and.to.include('EIO')
      .and.to.include('check the disk');
  });

  it('finishes the making of a directory that a crash interrupted at any moment', async () => {
    const counting = new FaultyDisk();
    await scratch.open(scratch.directory(), { files: counting });
    for (let at = 0; at < counting.calls.length; at += 1) {
      const path = scratch.directory();
      const disk = new FaultyDisk();
      disk.callsLeft = at;
      const error = await scratch.open(path, { files: disk }).catch((problem: Error) => problem);
      expect(error).to.be.instanceOf(Error).and.to.have.property('message', 'the power is gone');
      const bench = await scratch.open(path);
      expect(bench.opened.recovered.entries).to.deep.equal([]);
      await bench.close();
    }
  });
});

describe('the data directory: one process at a time', () => {
  it('refuses a second opening, by whatever path, and gives the directory up when it is closed', async () => {
    const path = scratch.directory();
    const bench = await scratch.open(path);
    const link = join(dirname(path), 'link');
    symlinkSync(path, link);
    for (const name of [path, link]) {
      const error = await refusal(name);
      expect(error.problem).to.equal('in use');
      expect(error.message).to.include(name);
    }
    await bench.close();
    await scratch.open(link);
  });

  it('locks a directory whose path is far longer than the name of a socket may be', async () => {
    const path = join(scratch.directory(), 'x'.repeat(120), 'y'.repeat(120));
    mkdirSync(path, { recursive: true });
    await scratch.open(path);
    expect((await refusal(path)).problem).to.equal('in use');
  });

  it('ends a second process within a second, and is free at once after kill -9', async function () {
    this.retries(2); // on a busy machine a process may take a second only to start
    const path = scratch.directory();
    const first = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await new Promise(resolve => first.stdout.once('data', resolve));
      const began = performance.now();
      const second = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      second.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
      const status = await new Promise(resolve => second.once('close', resolve));
      expect(status).to.equal(1);
      expect(said).to.include(`${path} is in use by another process`);
      expect(performance.now() - began).to.be.lessThan(1_000);
    } finally {
      const ended = new Promise(resolve => first.once('close', resolve));
      first.kill('SIGKILL');
      await ended;
    }
    await scratch.open(path);
  });
});

describe('the journal: real processes', () => {
  it('loses nothing that was reported durable to kill -9', async () => {
    const path = scratch.directory();
    let known = 0;
    for (let round = 0; round < 4; round += 1) {
      const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] });
      let said = '';
      const ended = new Promise(resolve => child.once('close', resolve));
      await new Promise<void>(resolve => {
        child.stdout.on('data', (chunk: Buffer) => {
          said += chunk.toString();
          if (said.length > 700 + 300 * round) resolve();
        });
        child.once('close', () => resolve());
      });
      child.kill('SIGKILL');
      await ended;
      const last = said.trimEnd().split('\n').at(-1) ?? '';
      known = Math.max(known, Number(/^durable (\d+)$/.exec(last)?.[1] ?? known));
      expect(known).to.be.greaterThan(0);
      const bench = await scratch.open(path, { segmentBytes: 2_000 });
      const { recovered } = bench.opened;
      expect(recovered.entries.length).to.be.at.least(known);
      expect(recovered.commit).to.be.at.most(recovered.entries.length);
      expect(readFileSync(join(path, 'vote.ndjson'), 'utf8')).to.include(`{"term":${recovered.ballot.term},`);
      await bench.durable(
        bench.write({
          entries: entries(recovered.entries.length + 1, recovered.entries.length + 1, recovered.ballot.term),
        }),
      );
      known = recovered.entries.length + 1;
      await bench.close();
    }
  });
});
