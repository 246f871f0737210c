import ndjson from 'ndjson';
import split2 from 'split2';
import { type ClientVerb, clientVerb } from '../client/cli/client-verb.ts';
import { exitStatus } from '../client/cli/outcome.ts';
import { complain, count, print, quoted } from '../client/cli/print.ts';
import { RaftlineError } from '../client/client.ts';
import { WholeLines } from '../src/node/whole-lines.ts';
import { LIMITS } from '../src/wire/limits.ts';
import { PROGRESS_FLAG, Progress } from './progress.ts';

/** Keys that are on their way at a time. */
const WINDOW = 256;

/** A line of the input that is no key with its value. */
class BadLine extends Error {}

/** A key with its value, and the line that it stood on. */
interface Numbered {
  readonly number: number;
  readonly key: string;
  readonly value: string;
}

export const importKeys: ClientVerb = clientVerb({
  name: 'import',
  hasSession: true,
  about: 'writes keys from JSON lines on standard input',
  usage: 'import',
  details: `Each line is an object with "key" and "value"; other fields, such as export may have written, do not count. Keys
that are there are overwritten. It stops at the first line that cannot be taken, and names it: what stood before has
been written, a few of the keys behind it may have been, and the same file may be imported again.

  raftline import < app.ndjson
  jq -c '{key: ("/copy" + .key), value}' app.ndjson | raftline import`,
  flags: {
    ...PROGRESS_FLAG,
    json: { type: 'boolean', about: 'say how many keys were written as a JSON object' },
  },
  words: [0, 0],
  async perform({ flags }, { client, signal }) {
    const progress = new Progress(flags.progress === true);
    const underWay = new Set<Promise<void>>();
    let failed: { readonly number: number; readonly error: unknown } | undefined;
    let written = 0;
    const write = async ({ number, key, value }: Numbered) => {
      try {
        await client.set(key, value, signal && { signal });
        written += 1;
      } catch (error) {
        // The first in the input is the one to tell of, whichever answer comes first.
        if (failed === undefined || number < failed.number) failed = { number, error };
      }
    };
    try {
      for await (const entry of entriesIn(process.stdin)) {
        const writing = write(entry).finally(() => underWay.delete(writing));
        underWay.add(writing);
        if (underWay.size >= WINDOW) await Promise.race(underWay);
        progress.tell(() => `${count(written, 'key')} imported`);
        if (failed !== undefined) break;
      }
    } catch (error) {
      if (!(error instanceof BadLine)) throw error;
      await Promise.all(underWay);
      progress.end();
      complain(`import: ${error.message}; ${count(written, 'key')} imported`);
      return 2;
    }
    await Promise.all(underWay);
    progress.end();
    if (failed !== undefined) return refused(failed.number, failed.error, client.address, written);
    await print(flags.json ? JSON.stringify({ imported: written }) : `${count(written, 'key')} imported`);
    return 0;
  },
});

function refused(number: number, error: unknown, address: string, written: number): number {
  if (!(error instanceof RaftlineError)) throw error;
  complain(
    `import at ${address}: line ${number}: ${error.message} (${error.code}); ${count(written, 'key')} imported`,
  );
  return exitStatus(error.code);
}

/** The entries of a stream of JSON lines. Lines are told apart, and are text, before anything is made of them. */
async function* entriesIn(input: NodeJS.ReadableStream): AsyncGenerator<Numbered> {
  const whole = new WholeLines(LIMITS.line);
  const parser = ndjson.parse();
  const records: unknown[] = [];
  let fault: string | undefined;
  parser.on('data', (record: unknown) => records.push(record));
  parser.on('error', (error: Error) => {
    fault = error.message;
  });
  let number = 0;
  for await (const line of input.pipe(whole).pipe(split2('\n')) as AsyncIterable<string>) {
    number += 1;
    if (/^[ \t\r]*$/.test(line)) continue;
    // A line that is `null` would end the parser, and no other that is no object can be a key either.
    if (!/^[ \t]*\{/.test(line))
      throw new BadLine(`line ${number} is not a JSON object: ${quoted(line.slice(0, 60))}`);
    await new Promise<void>(resolve => parser.write(`${line}\n`, () => resolve()));
    // What the parser has taken it hands on in a later turn at the latest.
    if (fault === undefined && records.length === 0) await new Promise(setImmediate);
    if (fault !== undefined) throw new BadLine(`line ${number} is not JSON: ${quoted(line.slice(0, 60))}`);
    yield entryOf(records.shift(), number);
  }
  if (whole.fault === 'LINE_TOO_LONG')
    throw new BadLine(`line ${number + 1} is longer than ${LIMITS.line} bytes`);
  if (whole.fault !== undefined) throw new BadLine(`line ${number + 1} is not UTF-8`);
}

function entryOf(record: unknown, number: number): Numbered {
  const { key, value } = (record ?? {}) as Record<string, unknown>;
  if (typeof key === 'string' && typeof value === 'string') return { number, key, value };
  throw new BadLine(`line ${number} is not an object with "key" and "value", both strings`);
}
