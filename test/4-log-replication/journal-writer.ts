import { writeSync } from 'node:fs';
import { DISK } from '../../src/node/file-system.ts';
import { openJournal } from '../../src/node/journal-open.ts';
import type { StorageListener } from '../../src/ports/storage.ts';
import { FaultyDisk } from './journal-faults.ts';
import { entries } from './journal-kit.ts';

// A process for tests to kill and to trace: writes batches without end, or as many as it is told, and says what is
// durable as soon as it knows. Its entries go on from what it finds. Told of a failure, its disk has it at the
// first sync of the log.
const [path = '', most = 'Infinity', failure] = process.argv.slice(2);

/** Batches that wait for their sync at a time: on a slow disk the log would grow by thousands between two. */
const MOST_WAITING = 16;

/** The last index of each mark. */
const lasts: number[] = [0];
let durable = 0;
let whenDurable = () => {};

const listener: StorageListener = {
  onDurable(mark) {
    writeSync(1, `durable ${lasts[mark]}\n`);
    durable = mark;
    whenDurable();
  },
};

const disk = new FaultyDisk();
if (failure !== undefined) disk.failures.set('fdatasync 0000000000000001.ndjson', failure);
const options = { segmentBytes: 2_000, files: failure === undefined ? DISK : disk };

const { storage, recovered } = await openJournal(path, { node: 'n1' }, listener, options).catch(
  (error: Error) => {
    writeSync(2, `${error.message}\n`);
    process.exit(1);
  },
);
const term = recovered.ballot.term + 1;
let last = recovered.entries.length;
lasts.push(last);
storage.write({ mark: 1, ballot: { term, vote: 'n1' }, entries: [], commit: undefined });
for (let mark = 2; mark < Number(most) + 2; mark += 1) {
  const count = 1 + (mark % 3);
  storage.write({ mark, ballot: undefined, entries: entries(last + 1, last + count, term), commit: last });
  last += count;
  lasts.push(last);
  await new Promise(resolve => setImmediate(resolve));
  while (mark - durable > MOST_WAITING) {
    await new Promise<void>(resolve => {
      whenDurable = resolve;
    });
  }
}
await storage.close();
