import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type BackupReply, backUp } from '../client/backup.ts';
import { CONNECTION_FLAGS } from '../client/cli/client-flags.ts';
import { targetsOf } from '../client/cli/client-verb.ts';
import { complain, count, print } from '../client/cli/print.ts';
import { isSystemError, systemWords } from '../client/cli/system-error.ts';
import type { Verb } from '../client/cli/verb.ts';
import { ClientError } from '../client/client.ts';
import type { Targets } from '../client/dial.ts';
import { FILE_MODE } from '../src/node/file-system.ts';
import { SnapshotCheck } from '../src/node/snapshot-records.ts';
import { PROGRESS_FLAG, Progress } from './progress.ts';

/** Milliseconds that a backup may take, unless told. */
const TIMEOUT = 3_600_000;

export const backup: Verb = {
  name: 'backup',
  about: 'saves the whole store, as of one moment, to a file',
  usage: 'backup FILE',
  details: `Taken from a node at work, which goes on meanwhile; everything acknowledged before it was asked is in it. Each line
is checked as it comes, and the file appears under its name only when it is whole and on the disk. raftline restore makes
a new cluster of it.

  raftline backup "backup-$(date +%F).ndjson"`,
  flags: {
    address: CONNECTION_FLAGS.address ?? { type: 'string', about: 'nodes to ask, tried in turn' },
    timeout: { type: 'integer', value: 'MS', about: `milliseconds that it may take (${TIMEOUT})`, least: 1 },
    ...PROGRESS_FLAG,
  },
  words: [1, 1],
  async run(call) {
    const [file = ''] = call.words;
    const timeout = typeof call.flags.timeout === 'number' ? call.flags.timeout : TIMEOUT;
    const temporary = `${file}.tmp`;
    const progress = new Progress(call.flags.progress === true);
    try {
      const { rev, hash, bytes } = await fetchFromAny(targetsOf(call), timeout, temporary, progress);
      renameSync(temporary, file);
      syncDirectory(dirname(file));
      await print(`${file}: revision ${rev}, ${count(bytes, 'byte')}, hash ${hash}`);
      return 0;
    } catch (error) {
      rmSync(temporary, { force: true });
      if (error instanceof ClientError || !isSystemError(error)) throw error;
      complain(`backup: ${systemWords(error, file)}`);
      return 2;
    } finally {
      progress.end();
    }
  },
};

interface Fetched extends BackupReply {
  readonly bytes: number;
}

/** From the first node that gives one; what another broke off in the middle of is begun again. */
async function fetchFromAny(
  { addresses, isGrpc }: Targets,
  timeout: number,
  path: string,
  progress: Progress,
): Promise<Fetched> {
  let failed: unknown;
  for (const address of addresses) {
    try {
      return await fetchFrom(backUp(address, timeout, isGrpc), path, progress);
    } catch (error) {
      const mayTryAnother =
        error instanceof ClientError && (error.retry || error.code === 'NODE_UNREACHABLE');
      if (!mayTryAnother) throw error;
      failed = error;
    }
  }
  throw failed;
}

async function fetchFrom(
  chunks: ReturnType<typeof backUp>,
  path: string,
  progress: Progress,
): Promise<Fetched> {
  const check = new SnapshotCheck();
  const fd = openSync(path, 'w', FILE_MODE);
  try {
    let bytes = 0;
    for (;;) {
      const { done, value } = await chunks.next();
      if (done === true) {
        if (check.hash === undefined) throw new Error('the backup ends before its last line; try again');
        fsyncSync(fd);
        return { ...value, bytes };
      }
      for (const line of value.split('\n').slice(0, -1)) check.take(line);
      bytes += writeAll(fd, Buffer.from(value));
      progress.tell(() => `${(bytes / 1_048_576).toFixed(1)} MiB`);
    }
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, bytes: Buffer): number {
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
  return bytes.length;
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
