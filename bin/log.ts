import { complain, endWithOutput } from '../client/cli/print.ts';
import { isSystemError, systemWords } from '../client/cli/system-error.ts';
import type { Call, Verb } from '../client/cli/verb.ts';
import { readBallot } from '../src/node/ballot-file.ts';
import { DataDirectory, type Identity } from '../src/node/data-directory.ts';
import { DataError, damaged } from '../src/node/data-error.ts';
import { codeOf, DISK } from '../src/node/file-system.ts';
import { findStart } from '../src/node/journal-start.ts';
import { beginOf, commitOf, entryOf, parseJson } from '../src/node/record.ts';
import { isTorn, RecordReader } from '../src/node/record-reader.ts';
import { listSegments } from '../src/node/segment.ts';
import { readHead } from '../src/node/snapshot-load.ts';
import { listSnapshots } from '../src/node/snapshot-name.ts';
import type { SnapshotHead } from '../src/ports/storage.ts';
import type { Ballot } from '../src/raft/entry.ts';

/** Characters that are gathered before they are printed. */
const PIECE = 65_536;
/** How often a log is read that seems to be damaged. */
const LOOKS = 3;

/** Standard output, in pieces. */
class Output {
  #held: string[] = [];
  #size = 0;

  line(text: string): void {
    this.#held.push(text, '\n');
    this.#size += text.length + 1;
  }

  /** Prints what is held, when that is enough to be worth it, and waits until it has been taken. */
  async flush(least = 0): Promise<void> {
    if (this.#size <= least) return;
    const text = this.#held.join('');
    this.#held = [];
    this.#size = 0;
    await new Promise<void>(resolve => {
      process.stdout.write(text, () => resolve());
    });
  }
}

/** Prints the records of a log in the order in which they were written. */
class LogPrinter {
  readonly #output = new Output();
  readonly #from: number;
  readonly #isJson: boolean;
  /** The index of the last entry so far. */
  #last = 0;

  constructor(from: number, isJson: boolean) {
    this.#from = from;
    this.#isJson = isJson;
  }

  /** One line about the node. */
  node({ node, cluster }: Identity, ballot: Ballot | undefined): void {
    if (this.#isJson) return;
    const whose = `node ${node}, ${cluster === null ? 'no cluster' : `cluster ${cluster}`}`;
    this.#output.line(`${whose}: ${ballot === undefined ? 'no ballot that can be read' : wordsOf(ballot)}`);
  }

  /** What stands for the beginning of the log. */
  snapshot({ index, term, base }: SnapshotHead): void {
    if (this.#isJson) return;
    const tail = base.index < index ? `; entries from ${base.index + 1} on stay for followers` : '';
    this.#output.line(`a snapshot stands for everything up to entry ${index} of term ${term}${tail}`);
  }

  /** Prints what is held back. */
  finish(): Promise<void> {
    return this.#output.flush();
  }

  /** Prints a segment. A record that is being written is left out. */
  async segment(path: string, fd: number, isLast: boolean): Promise<void> {
    const reader = new RecordReader(DISK, fd);
    while (reader.next()) {
      if (!reader.isSound) damaged(path, reader.offset, 'the checksum of this record does not fit its text');
      this.#record(reader);
      await this.#output.flush(PIECE);
    }
    if (reader.rest.length === 0) return;
    if (!isLast || !isTorn(reader.rest))
      damaged(path, reader.offset, 'this record is cut off, and not the last');
    await this.#output.flush();
    complain(
      `log: ${path}: the record at byte ${reader.offset} is not whole: it is being written, or was when the node stopped`,
    );
  }

  #record(reader: RecordReader): void {
    const json = reader.json;
    const content = parseJson(json);
    const entry = entryOf(content, reader.size);
    const begin = beginOf(content);
    const index = entry?.index ?? commitOf(content) ?? begin?.index ?? this.#from;
    if (begin !== undefined) this.#last = begin.index;
    if (entry !== undefined) this.#moveTo(entry.index);
    if (index < this.#from) return;
    if (this.#isJson) {
      this.#output.line(json);
    } else if (entry !== undefined) {
      const command = entry.command === null ? 'no-op' : printable(JSON.stringify(entry.command));
      this.#output.line(`${String(index).padStart(8)}  term ${entry.term}  ${command}`);
    } else {
      this.#output.line(`          ${wordsFor(content) ?? printable(json)}`);
    }
  }

  #moveTo(index: number): void {
    if (index <= this.#last && this.#last >= this.#from && !this.#isJson) {
      this.#output.line(`          replaced from ${index} on`);
    }
    this.#last = index;
  }
}

function wordsOf({ term, vote }: Ballot): string {
  return `term ${term}, ${vote === null ? 'no vote' : `voted for ${vote}`}`;
}

/** What a record says that is no entry; undefined for one that nobody knows. */
function wordsFor(content: unknown): string | undefined {
  const begin = beginOf(content);
  if (begin !== undefined)
    return `begins anew behind a snapshot of entry ${begin.index} of term ${begin.term}`;
  const commit = commitOf(content);
  return commit === undefined ? undefined : `committed up to ${commit}`;
}

/** Text that leaves a terminal as it is: JSON escapes all that could do harm but these. */
function printable(json: string): string {
  return json.replace(/[\x7f-\x9f]/g, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Does something with an open file; undefined when it is not there. */
async function withFile<T>(path: string, use: (fd: number) => T | Promise<T>): Promise<T | undefined> {
  let fd: number;
  try {
    fd = DISK.open(path, 'r');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return undefined;
  }
  try {
    return await use(fd);
  } finally {
    DISK.close(fd);
  }
}

async function print(path: string, wanted: number | undefined, isJson: boolean): Promise<number> {
  const directory = new DataDirectory(DISK, path);
  const identity = directory.identity();
  if (identity === undefined) {
    complain(
      `log: ${path} is not a data directory: it has no node.json; name the --data that the node is served with`,
    );
    return 2;
  }
  const head = await newestHead(directory);
  const from = wanted ?? (head?.base.index ?? 0) + 1;
  const printer = new LogPrinter(from, isJson);
  printer.node(identity, await ballotIn(directory));
  if (head !== undefined) printer.snapshot(head);
  const shown = await damageIn(() => printSegments(directory, from, printer));
  await printer.finish();
  // What a node that starts here would say comes first: it knows how the records fit together.
  const damage = (await damageIn(() => examine(directory))) ?? shown;
  if (damage === undefined) return 0;
  complain(`log: ${damage.message}`);
  return 1;
}

async function printSegments({ log }: DataDirectory, from: number, printer: LogPrinter): Promise<void> {
  const segments = listSegments(DISK, log);
  for (const [at, segment] of segments.entries()) {
    const next = segments[at + 1];
    // A segment may end with entries of any index before the next one's, so only that one tells what to leave out.
    if (next !== undefined && next.first <= from) continue;
    // A running node may have dropped it meanwhile.
    await withFile(segment.path, fd => printer.segment(segment.path, fd, next === undefined));
  }
}

/** The last ballot, or undefined where it cannot be read. */
async function ballotIn({ vote }: DataDirectory): Promise<Ballot | undefined> {
  try {
    return await withFile(vote, fd => readBallot(DISK, vote, fd).ballot);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return undefined;
  }
}

/** Reads everything as a node does that starts here. One at work may move files meanwhile: what is wrong must stay so. */
function examine(directory: DataDirectory): void {
  for (let look = 1; ; look += 1) {
    try {
      findStart(DISK, directory, { keepsCommands: false });
      return;
    } catch (error) {
      if (look === LOOKS) throw error;
    }
  }
}

/** What is damaged, as far as reading it tells. */
async function damageIn(read: () => unknown): Promise<DataError | undefined> {
  try {
    await read();
    return undefined;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return error;
  }
}

/** What the newest snapshot says of itself; one that is damaged is passed over. */
async function newestHead({ snapshots: directory }: DataDirectory): Promise<SnapshotHead | undefined> {
  for (const { path } of listSnapshots(DISK, directory).snapshots) {
    const head = await withFile(path, fd => readHead(DISK, fd));
    if (head !== undefined) return head;
    complain(`log: ${path} does not begin as a snapshot does; the node starts without it, if it can`);
  }
  return undefined;
}

export const log: Verb = {
  name: 'log',
  about: "prints a node's log, terms and commit points, running or stopped",
  usage: 'log --data DIR [--from N] [--json]',
  details: `One line for each record, in the order in which they were written: an entry with an index that came before replaces
that entry and all after it. Where a snapshot stands for its beginning, it says so, and prints what follows; with --from it
also prints what the disk still has of what came before. It only reads, so a running node is not disturbed. Where a node would not start,
since something is damaged or missing, it says at the end what serve would say, and exits with 1.

With --json it prints the JSON text of each record: [index, term, command], {"commit": index}, or {"begin": [index,
term]} where the log begins anew behind a snapshot that came from another node.

  raftline log --data /var/lib/raftline
  raftline log --data /var/lib/raftline --json | jq -c 'arrays'`,
  flags: {
    data: { type: 'string', value: 'DIR', about: 'the data directory of the node' },
    from: { type: 'integer', value: 'N', about: 'begins at entry N' },
    json: { type: 'boolean', about: 'prints the JSON text of each record' },
  },
  words: [0, 0],
  async run({ flags }: Call): Promise<number> {
    endWithOutput();
    const { data, from, json = false } = flags;
    if (typeof data !== 'string' || data === '') {
      complain('log: --data is missing: the data directory of a node');
      return 2;
    }
    try {
      return await print(data, from === undefined ? undefined : Number(from), json === true);
    } catch (error) {
      complain(`log: ${isSystemError(error) ? systemWords(error, data) : (error as Error).message}`);
      return error instanceof DataError ? 1 : 2;
    }
  },
};
