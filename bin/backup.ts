import { type BackupReply, backUp } from '../client/backup.ts';
import { CONNECTION_FLAGS } from '../client/cli/client-flags.ts';
import { targetsOf } from '../client/cli/client-verb.ts';
import { complain, count, endWithOutput, print } from '../client/cli/print.ts';
import { isSystemError, systemWords } from '../client/cli/system-error.ts';
import type { Verb } from '../client/cli/verb.ts';
import { ClientError, connect } from '../client/client.ts';
import type { Targets } from '../client/dial.ts';
import { SnapshotCheck } from '../src/node/snapshot-records.ts';
import { type Address, formatAddress } from '../src/wire/address.ts';
import { type BackupOutput, openOutput } from './backup-output.ts';
import { PROGRESS_FLAG, Progress } from './progress.ts';

/** Milliseconds that a backup may take, unless told. */
const TIMEOUT = 3_600_000;
/** Milliseconds that a node has to say that it is there, and that it has where there is another to ask. */
const PATIENCE = 5_000;
const SILENCE = 2_000;

export const backup: Verb = {
  name: 'backup',
  about: 'saves the whole store, as of one moment, to a file',
  usage: 'backup FILE',
  details: `Taken from the first node that answers, which goes on with its work meanwhile; everything acknowledged before it was
asked is in it. Each line is checked as it comes, and the file appears under its name only when it is whole and on the
disk. A pipe or a device, as /dev/stdout, has the lines as they come. raftline restore makes a new cluster of it.

  raftline backup "backup-$(date +%F).ndjson"
  raftline backup /dev/stdout | gzip > backup.ndjson.gz`,
  flags: {
    address: CONNECTION_FLAGS.address ?? { type: 'string', about: 'nodes to ask, tried in turn' },
    timeout: { type: 'integer', value: 'MS', about: `milliseconds that it may take (${TIMEOUT})`, least: 1 },
    json: { type: 'boolean', about: 'print the reply, which has the hash, instead of words' },
    ...PROGRESS_FLAG,
  },
  words: [1, 1],
  async run(call) {
    const [file = ''] = call.words;
    const timeout = typeof call.flags.timeout === 'number' ? call.flags.timeout : TIMEOUT;
    const progress = new Progress(call.flags.progress === true);
    /** For words and replies; where standard output has the backup, it has nothing else. */
    let say = print;
    try {
      const output = openOutput(file);
      if (output.isStandardOutput) say = async line => void process.stderr.write(`${line}\n`);
      else endWithOutput();
      const { reply, bytes } = await filled(output, () =>
        fetchFromAny(targetsOf(call), timeout, output, progress),
      );
      const words = `${file}: revision ${reply.rev}, ${count(bytes, 'byte')}, hash ${reply.hash}`;
      await say(call.flags.json ? JSON.stringify(reply) : words);
      return 0;
    } catch (error) {
      if (error instanceof ClientError && error.line !== undefined && call.flags.json) await say(error.line);
      if (error instanceof ClientError || !isSystemError(error)) throw error;
      complain(`backup: ${systemWords(Object.assign(error, { path: file }), file)}`);
      return 2;
    } finally {
      progress.end();
    }
  },
};

/** Keeps the output when it has everything, and drops it when it has not. */
async function filled(output: BackupOutput, fill: () => Promise<Fetched>): Promise<Fetched> {
  try {
    const fetched = await fill();
    await output.keep();
    return fetched;
  } catch (error) {
    output.drop();
    throw error;
  }
}

interface Fetched {
  readonly reply: BackupReply;
  readonly bytes: number;
}

/** From the first node that gives one; what another broke off in the middle of is begun again. */
async function fetchFromAny(
  { addresses, isGrpc }: Targets,
  timeout: number,
  output: BackupOutput,
  progress: Progress,
): Promise<Fetched> {
  let failed: unknown;
  const patience = Math.min(timeout, addresses.length > 1 ? SILENCE : PATIENCE);
  for (const address of addresses) {
    try {
      await greet(address, isGrpc, patience);
      return await fetchFrom(backUp(address, timeout, isGrpc), output, progress);
    } catch (error) {
      const mayTryAnother =
        error instanceof ClientError && (error.retry || error.code === 'NODE_UNREACHABLE');
      if (!mayTryAnother || !output.restart()) throw error;
      failed = error;
    }
  }
  throw failed;
}

/** Throws where a node does not answer: one that hangs would have all the time that a backup may take. */
async function greet(address: Address, isGrpc: boolean, timeout: number): Promise<void> {
  const client = connect(`${isGrpc ? 'grpc://' : ''}${formatAddress(address)}`, { failFast: true, timeout });
  try {
    await client.ping();
  } finally {
    await client.close();
  }
}

async function fetchFrom(
  chunks: ReturnType<typeof backUp>,
  output: BackupOutput,
  progress: Progress,
): Promise<Fetched> {
  const check = new SnapshotCheck();
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await chunks.next();
      if (done === true) {
        if (check.hash === undefined) throw new Error('the backup ends before its last line; try again');
        return { reply: value, bytes };
      }
      for (const line of value.split('\n').slice(0, -1)) check.take(line);
      await output.write(value);
      bytes += Buffer.byteLength(value);
      progress.tell(() => `${(bytes / 1_048_576).toFixed(1)} MiB`);
    }
  } finally {
    // What is not taken to its end would keep its connection, and this process with it.
    await chunks.return(undefined as never);
  }
}
