import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type JournalOptions,
  type OpenedJournal,
  openJournal,
  openLocked,
} from '../../src/node/journal-open.ts';
import { entryLine } from '../../src/node/record.ts';
import type { Batch, StorageListener } from '../../src/ports/storage.ts';
import type { Ballot, Entry, Position } from '../../src/raft/entry.ts';

/** Directories that a test uses up, and journals that it leaves open. */
export class Scratch {
  readonly #paths: string[] = [];
  readonly #open: Bench[] = [];

  directory(): string {
    const path = mkdtempSync(join(tmpdir(), 'raftline-journal-'));
    this.#paths.push(path);
    return join(path, 'data');
  }

  /** Opens a directory as node n1, unless the options say otherwise. */
  async open(path: string, options: BenchOptions = {}): Promise<Bench> {
    const bench = await Bench.open(path, options);
    this.#open.push(bench);
    return bench;
  }

  async clean(): Promise<void> {
    for (const bench of this.#open.splice(0)) await bench.close();
    for (const path of this.#paths.splice(0)) rmSync(path, { recursive: true, force: true });
  }
}

export interface BenchOptions extends JournalOptions {
  readonly node?: string;
  readonly cluster?: string;
}

/** What a test writes; what it leaves out is not in the batch. */
export interface Written {
  readonly ballot?: Ballot;
  readonly begins?: Position;
  readonly entries?: readonly Entry[];
  readonly commit?: number;
}

/** A journal with what it reported, and what it complained of. */
export class Bench implements StorageListener {
  readonly reported: number[] = [];
  readonly fatal: Error[] = [];
  readonly warnings: string[] = [];
  #opened: OpenedJournal | undefined;
  #mark = 0;
  #isClosed = false;
  #waiting: { readonly mark: number; readonly resolve: () => void }[] = [];

  /** Opens a directory that is never closed, as by a node whose power goes. */
  static doomed(path: string, options: BenchOptions): Bench {
    const bench = new Bench();
    bench.#opened = openLocked(path, { node: 'n1' }, bench, {
      fatal: error => bench.fatal.push(error),
      warn: message => bench.warnings.push(message),
      ...options,
    });
    return bench;
  }

  static async open(path: string, { node = 'n1', cluster, ...options }: BenchOptions): Promise<Bench> {
    const bench = new Bench();
    const identity = cluster === undefined ? { node } : { node, cluster };
    bench.#opened = await openJournal(path, identity, bench, {
      fatal: error => bench.fatal.push(error),
      warn: message => bench.warnings.push(message),
      ...options,
    });
    return bench;
  }

  get opened(): OpenedJournal {
    if (this.#opened === undefined) throw new Error('not open');
    return this.#opened;
  }

  get storage(): OpenedJournal['storage'] {
    return this.opened.storage;
  }

  onDurable(mark: number): void {
    this.reported.push(mark);
    for (const waiter of this.#waiting.filter(other => other.mark <= mark)) waiter.resolve();
    this.#waiting = this.#waiting.filter(other => other.mark > mark);
  }

  /** Writes a batch, and returns its mark. */
  write({ ballot, begins, entries = [], commit }: Written): number {
    this.#mark += 1;
    const whole: Batch = { mark: this.#mark, ballot, begins, entries, commit };
    this.storage.write(whole);
    return this.#mark;
  }

  /** Resolves when a mark is reported. */
  durable(mark: number): Promise<void> {
    if ((this.reported.at(-1) ?? 0) >= mark) return Promise.resolve();
    return new Promise(resolve => this.#waiting.push({ mark, resolve }));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.storage.close();
  }
}

/** An entry that says in its command what it is. */
export function entry(index: number, term = 1, text = ''): Entry {
  const made: Entry = {
    index,
    term,
    command: { op: 'set', key: `/${index}`, value: `${term}${text}` },
    size: 40,
  };
  entryLine(made);
  return made;
}

export function entries(from: number, to: number, term = 1, text = ''): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, at) => entry(from + at, term, text));
}

/** What entries come to, for comparing. */
export function texts(list: readonly Entry[]): string[] {
  return list.map(({ index, term, command }) => JSON.stringify([index, term, command]));
}

/** The files of a log, in order. */
export function segments(path: string): string[] {
  return readdirSync(join(path, 'log'))
    .sort()
    .map(name => join(path, 'log', name));
}

/** Every file of a data directory and what is in it. */
export function contents(path: string): Record<string, string> {
  const names = readdirSync(path, { recursive: true, withFileTypes: true }).filter(file => file.isFile());
  return Object.fromEntries(
    names.map(file => {
      const full = join(file.parentPath, file.name);
      return [full, readFileSync(full, 'latin1')];
    }),
  );
}

/** Resolves when everything that is due now has happened. */
export function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(() => setImmediate(resolve)));
}
