import { parseNodes } from '../../src/wire/address.ts';
import { RaftlineError } from '../../src/wire/errors.ts';
import type { MembersReply, SnapshotReply, TransferReply } from '../results.ts';
import { ask, clientVerb } from './client-verb.ts';
import { print } from './print.ts';
import { UsageError } from './usage-error.ts';

export const members = clientVerb({
  name: 'members',
  about: 'lists the nodes of the cluster',
  usage: 'members',
  details: 'One line for each node: its id, its address, and whether it votes.',
  flags: {},
  words: [0, 0],
  async perform(call, session) {
    const reply = await ask<MembersReply>('members', {}, call, session);
    if (!call.flags.json) await printMembers(reply);
    return 0;
  },
});

export const init = clientVerb({
  name: 'init',
  about: 'makes a cluster of nodes that wait for one',
  usage: 'init --nodes n1=…,n2=…',
  details: `Sent to any one of the nodes, which were started without --nodes and have empty data directories. All are asked
first: when one does not answer, or belongs to another cluster, nothing is changed.

  raftline init --address 127.0.0.1:8001 --nodes a=127.0.0.1:8001,b=127.0.0.1:8002`,
  flags: { nodes: { type: 'string', value: 'n1=…,n2=…', about: 'every node of the cluster' } },
  words: [0, 0],
  async perform(call, session) {
    if (call.flags.nodes === undefined)
      throw new UsageError('--nodes is missing: name every node of the cluster');
    const nodes = Object.fromEntries(listed(String(call.flags.nodes)));
    const reply = await ask<MembersReply>('init', { nodes }, call, session);
    if (!call.flags.json) await printMembers(reply);
    return 0;
  },
});

function listed(text: string): [string, string][] {
  try {
    return parseNodes(text).map(({ id, address }) => [id, address]);
  } catch (error) {
    if (error instanceof RaftlineError) throw new UsageError(`--nodes: ${error.message}`);
    throw error;
  }
}

async function printMembers({ members: all }: MembersReply): Promise<void> {
  for (const { id, address, role } of all) await print(`${id}\t${address}\t${role}`);
}

export const snapshot = clientVerb({
  name: 'snapshot',
  about: 'has a node compact its log now',
  usage: 'snapshot',
  details: `The node that is asked writes a snapshot of its state, and lets go of the log that it stands for. Nodes do so by
themselves when their log has grown enough. Give a large store more time than usual:

  raftline snapshot --address 10.0.0.1:7001 --timeout 60000`,
  flags: {},
  words: [0, 0],
  async perform(call, session) {
    const { index, term } = await ask<SnapshotReply>('snapshot', {}, call, session);
    if (!call.flags.json) {
      await print(
        `${session.client.address}: a snapshot stands for everything up to entry ${index} of term ${term}`,
      );
    }
    return 0;
  },
});

export const transferLeader = clientVerb({
  name: 'transfer-leader',
  about: 'hands leadership to another node',
  usage: 'transfer-leader [ID]',
  details: `To the node named, or to the one that is furthest. The leader stops taking changes, waits until its successor has
everything, and tells it to stand; if that takes too long, it goes on leading, and the exit status is 3.

  raftline transfer-leader n2`,
  flags: {},
  words: [0, 1],
  async perform(call, session) {
    const [to] = call.words;
    const { leader } = await ask<TransferReply>(
      'transfer-leader',
      to === undefined ? {} : { to },
      call,
      session,
    );
    if (!call.flags.json) await print(`${leader.id} at ${leader.address} leads`);
    return 0;
  },
});
