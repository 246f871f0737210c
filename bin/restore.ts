import { closeSync, openSync, readSync } from 'node:fs';
import { complain, count, endWithOutput, print, quoted } from '../client/cli/print.ts';
import { isSystemError, systemWords } from '../client/cli/system-error.ts';
import { UsageError } from '../client/cli/usage-error.ts';
import type { Call, Verb } from '../client/cli/verb.ts';
import { DataError } from '../src/node/data-error.ts';
import { restore as restoreTo } from '../src/node/restore.ts';
import { isNodeId, parseNodes } from '../src/wire/address.ts';
import { RaftlineError } from '../src/wire/errors.ts';

/** With what each line of an export begins. */
const EXPORTED = '{"key":';

export const restore: Verb = {
  name: 'restore',
  about: 'makes the data directory of a new cluster from a backup',
  usage: 'restore FILE --data DIR --id n1 --nodes n1=…,n2=…',
  details: `Each member of the new cluster restores from the same file and the same list, into an empty directory, and is then
served as usual. Keys, revisions, leases and sessions are those of the backup; the cluster is another, with an id of its
own, so that no node of the old one can speak to it by mistake. The file is checked to its last byte before anything is
written.

  raftline restore backup.ndjson --data data/n1 --id n1 --nodes n1=10.0.0.1:7001,n2=10.0.0.2:7001
  raftline serve --data data/n1 --id n1 --nodes n1=10.0.0.1:7001,n2=10.0.0.2:7001`,
  flags: {
    data: { type: 'string', value: 'DIR', about: 'the directory to make; it must be empty, or not there' },
    id: { type: 'string', value: 'ID', about: 'this node, one of --nodes; not needed where it is alone' },
    nodes: {
      type: 'string',
      value: 'n1=…,n2=…',
      about: 'every node of the new cluster, the same list at each',
    },
  },
  words: [1, 1],
  async run(call) {
    endWithOutput();
    const [backup = ''] = call.words;
    try {
      const { data, id, nodes } = optionsOf(call);
      const { cluster, rev, keys, hash } = restoreTo({ backup, data, id, nodes });
      await print(
        `${data}: ${id} of cluster ${cluster}, at revision ${rev} with ${count(keys, 'key')}, hash ${hash}`,
      );
      return 0;
    } catch (error) {
      if (error instanceof DataError && error.problem === 'damaged' && isExport(backup))
        complain(`restore: ${quoted(backup)} is what raftline export prints: use raftline import < FILE`);
      else if (error instanceof DataError) complain(`restore: ${error.message}`);
      else if (isSystemError(error)) complain(`restore: ${systemWords(error, backup)}`);
      else throw error;
      return 2;
    }
  },
};

/** Whether a file begins as what `export` prints does: no record of a backup begins so. */
function isExport(path: string): boolean {
  const beginning = Buffer.alloc(EXPORTED.length);
  const fd = openSync(path, 'r');
  try {
    readSync(fd, beginning, 0, beginning.length, 0);
  } finally {
    closeSync(fd);
  }
  return beginning.toString() === EXPORTED;
}

function optionsOf({ flags }: Call) {
  const { data, nodes: listed } = flags;
  if (typeof data !== 'string' || data === '')
    throw new UsageError('restore: --data is missing: the directory to make');
  if (listed === undefined)
    throw new UsageError('restore: --nodes is missing: every node of the new cluster');
  const nodes = nodesIn(String(listed));
  const id = String(flags.id ?? (nodes.length === 1 ? nodes[0]?.id : ''));
  if (!isNodeId(id) || !nodes.some(node => node.id === id)) {
    const known = nodes.map(node => node.id).join(', ');
    throw new UsageError(`restore: --id must say which of ${known} this directory is for`);
  }
  return { data, id, nodes };
}

function nodesIn(text: string) {
  try {
    return parseNodes(text);
  } catch (error) {
    if (error instanceof RaftlineError) throw new UsageError(`restore: --nodes: ${error.message}`);
    throw error;
  }
}
