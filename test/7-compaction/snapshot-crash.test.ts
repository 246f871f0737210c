import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import type { Position } from '../../src/raft/entry.ts';
import { FaultyDisk } from '../4-log-replication/journal-faults.ts';
import { Bench, Scratch, turn } from '../4-log-replication/journal-kit.ts';
import { Random } from '../shared/random.ts';
import { compact, keyedEntries, stateAt, stateOf, termOfEntry, writeSnapshot } from './snapshot-kit.ts';

const scratch = new Scratch();
afterEach(() => scratch.clean());

/** The power is gone before what was awaited came about. */
const GONE = Symbol('gone');

/** What a node has said to others, and so must have after a crash. */
interface Promised {
  index: number;
}

/** A node's life on a disk that loses its power after so many calls. */
class Life {
  readonly promised: Promised = { index: 0 };
  readonly #bench: Bench;
  readonly #lines: ReadonlyMap<string, { readonly lines: readonly string[]; readonly hash: string }>;

  constructor(bench: Bench, lines: Life['linesOf']) {
    this.#bench = bench;
    this.#lines = lines;
  }

  get linesOf(): ReadonlyMap<string, { readonly lines: readonly string[]; readonly hash: string }> {
    return this.#lines;
  }

  /** Waits for something, or for the end. */
  async #unlessGone<T>(awaited: Promise<T>): Promise<T> {
    let result: { readonly value: T } | undefined;
    let thrown: unknown;
    awaited.then(
      value => {
        result = { value };
      },
      (error: unknown) => {
        thrown = error;
      },
    );
    while (result === undefined) {
      if (this.#bench.fatal.length > 0 || thrown !== undefined) throw GONE;
      await turn();
    }
    return result.value;
  }

  async ballot(term: number): Promise<void> {
    await this.#unlessGone(this.#bench.durable(this.#bench.write({ ballot: { term, vote: null } })));
  }

  async fill(from: number, to: number, term: number, isCommitted = true): Promise<void> {
    let mark = 0;
    for (let first = from; first <= to; first += 5) {
      const last = Math.min(first + 4, to);
      mark = this.#bench.write({ entries: keyedEntries(first, last, term) });
    }
    if (isCommitted) mark = this.#bench.write({ commit: to });
    await this.#unlessGone(this.#bench.durable(mark));
    if (isCommitted) this.promised.index = to;
  }

  async compact(position: Position): Promise<void> {
    await this.#unlessGone(compact(this.#bench, position, 2, termOfEntry));
  }

  async receive(position: Position, fits: boolean): Promise<void> {
    const { index, term } = position;
    const { snapshots } = this.#bench.storage;
    const { lines, hash } = this.#lines.get(`${index}-${term}`) ?? { lines: [], hash: '' };
    const incoming = snapshots.receive(position, hash);
    if (incoming === undefined) throw new Error('no room');
    for (let at = 0; at < lines.length; at += 20) incoming.take(lines.slice(at, at + 20));
    const extent = await this.#unlessGone(
      new Promise<Parameters<typeof snapshots.promote>[0]>(resolve => snapshots.keep(incoming, resolve)),
    );
    snapshots.promote(extent, false);
    if (fits) this.#bench.storage.compact(position, index);
    const mark = this.#bench.write(fits ? { commit: index } : { begins: position, commit: index });
    snapshots.prune([]);
    await this.#unlessGone(this.#bench.durable(mark));
    this.promised.index = index;
  }
}

/** A life with all that can happen to snapshots: made, outgrown, and received, fitting and not. */
async function live(life: Life): Promise<void> {
  await life.ballot(1);
  await life.fill(1, 20, 1);
  await life.compact({ index: 20, term: 1 });
  await life.fill(21, 40, 1);
  await life.compact({ index: 40, term: 1 });
  await life.fill(41, 55, 1);
  await life.compact({ index: 55, term: 1 });
  // What follows was never committed, and the snapshot of a later leader ends in the middle of it.
  await life.fill(56, 90, 1, false);
  await life.ballot(2);
  await life.receive({ index: 70, term: 2 }, false);
  await life.fill(71, 85, 2);
  await life.compact({ index: 85, term: 2 });
  // One that ends far behind the log, and one that ends within it.
  await life.receive({ index: 120, term: 2 }, false);
  await life.fill(121, 140, 2, false);
  await life.receive({ index: 130, term: 2 }, true);
  await life.fill(141, 150, 2);
  await life.compact({ index: 150, term: 2 });
}

describe('snapshots: loss of power between any two operations of the disk', () => {
  const lines = new Map<string, { lines: readonly string[]; hash: string }>();

  before(async () => {
    for (const position of [70, 120, 130].map(index => ({ index, term: 2 }))) {
      const path = scratch.directory();
      const bench = await scratch.open(path);
      const extent = await writeSnapshot(bench, position, 2, termOfEntry);
      const name = `${position.index}-${position.term}`;
      const text = readFileSync(join(path, 'snapshots', `${name}.ndjson`), 'utf8');
      lines.set(name, { lines: text.trimEnd().split('\n'), hash: extent?.hash ?? '' });
    }
  });

  async function crashAfter(calls: number): Promise<boolean> {
    const path = scratch.directory();
    const disk = new FaultyDisk();
    const bench = Bench.doomed(path, { files: disk, segmentBytes: 700 });
    disk.callsLeft = calls;
    const life = new Life(bench, lines);
    let isOver = true;
    try {
      await live(life);
    } catch (error) {
      if (error !== GONE && !/the power is gone/.test(String(error))) throw error;
      isOver = false;
    }
    for (const [at, random] of [new Random(calls), undefined, new Random(calls + 1)].entries()) {
      const next = scratch.directory();
      disk.crash(path, next, n => (random === undefined ? n * (at - 1) : random.below(n + 1)));
      // Nothing is to be synced for good any more, and there are hundreds of these.
      const reader = new FaultyDisk();
      check(Bench.doomed(next, { files: reader, segmentBytes: 700 }), life.promised, `after ${calls} calls`);
      reader.abandon();
      rmSync(dirname(next), { recursive: true });
    }
    disk.abandon();
    rmSync(dirname(path), { recursive: true });
    return isOver;
  }

  function check(bench: Bench, promised: Promised, words: string): void {
    const { recovered } = bench.opened;
    const last = Math.max(recovered.entries.at(-1)?.index ?? 0, recovered.snapshot?.index ?? 0);
    expect(last, `${words}: promised entries are gone`).to.be.at.least(promised.index);
    expect(recovered.base.index, words).to.be.at.most(recovered.snapshot?.index ?? 0);
    expect(stateOf(bench).hash, `${words}: another state`).to.equal(
      stateAt(recovered.commit, termOfEntry).hash,
    );
    for (const { index, term } of recovered.entries) {
      if (index <= recovered.commit) expect(term, `${words}: ${index}`).to.equal(termOfEntry(index));
    }
  }

  it('leaves a snapshot and a log that fit, and nothing that was promised is gone', async () => {
    let calls = 0;
    while (!(await crashAfter(calls))) calls += 1;
    expect(calls).to.be.greaterThan(100);
  }).timeout(120_000);
});
