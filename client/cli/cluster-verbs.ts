import { type NodeAddress, parseNodes } from '../../src/wire/address.ts';
import { RaftlineError } from '../../src/wire/errors.ts';
import type { MembersReply, SnapshotReply, TransferReply } from '../results.ts';
import { ask, clientVerb, type Session } from './client-verb.ts';
import { print } from './print.ts';
import { UsageError } from './usage-error.ts';
import type { Call, Flag } from './verb.ts';

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
      throw new UsageError('init: --nodes is missing: name every node of the cluster');
    const nodes = Object.fromEntries(
      listed('init: --nodes', String(call.flags.nodes)).map(({ id, address }) => [id, address]),
    );
    const reply = await ask<MembersReply>('init', { nodes }, call, session);
    if (!call.flags.json) await printMembers(reply);
    return 0;
  },
});

/** What `--nodes` or `--node` of a verb names. */
function listed(what: string, text: string): NodeAddress[] {
  try {
    return parseNodes(text);
  } catch (error) {
    if (error instanceof RaftlineError) throw new UsageError(`${what}: ${error.message}`);
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

/** Milliseconds that a change of the voters may take unless told: a new one has to get everything first. */
const CHANGE_PATIENCE = 60_000;

const FORCE_FLAG: Flag = {
  type: 'boolean',
  about: 'also when no majority of those who will vote can be reached now: then nothing works until it can',
};

/** Asks for a change of the members, and prints them as they are then. */
async function change(
  op: string,
  fields: Readonly<Record<string, unknown>>,
  call: Call,
  session: Session,
): Promise<number> {
  // A node that does not answer is not going to; one that has to catch up is.
  const catchesUp = op === 'change-membership' && call.flags.timeout === undefined;
  const reply = await ask<MembersReply>(op, fields, call, session, catchesUp ? CHANGE_PATIENCE : undefined);
  if (!call.flags.json) await printMembers(reply);
  return 0;
}

export const addLearner = clientVerb({
  name: 'add-learner',
  about: 'adds a node that gets everything and does not vote',
  usage: 'add-learner --node n4=HOST:PORT',
  details: `The node has to run, started without --nodes on an empty data directory. It is asked first: where it does not answer,
or belongs to another cluster, nothing is changed. With a member's id and another address, the member has moved.

  raftline serve --id n4 --listen 10.0.0.4:7001 --data /var/lib/raftline       (there)
  raftline add-learner --node n4=10.0.0.4:7001
  raftline change-membership --members n1,n2,n3,n4`,
  flags: { node: { type: 'string', value: 'n4=HOST:PORT', about: 'its id, and where it listens' } },
  words: [0, 0],
  async perform(call, session) {
    if (call.flags.node === undefined)
      throw new UsageError('add-learner: --node is missing: name the node, as n4=HOST:PORT');
    const [node, ...more] = listed('add-learner: --node', String(call.flags.node));
    if (node === undefined || more.length > 0)
      throw new UsageError('add-learner: --node: name one node, as n4=HOST:PORT');
    return change('add-learner', { node }, call, session);
  },
});

export const changeMembership = clientVerb({
  name: 'change-membership',
  about: 'says which members vote from now on',
  usage: 'change-membership --members n1,n2,n3 [--expect n1,n2] [--force]',
  details: `From any set of voters to any other, in one step: writes go on meanwhile. New voters have to be members already
(add-learner), and have everything before they count; until then it waits, as long as --timeout says. Who voted before
and is not named is a member no more; a learner that is not named stays one.

  raftline change-membership --members n1,n2,n4
  raftline change-membership --members n1,n2,n4 --expect n1,n2`,
  flags: {
    members: { type: 'string', value: 'n1,n2,…', about: 'every member that is to vote' },
    expect: {
      type: 'string',
      value: 'n1,n2,…',
      about: 'only if just these vote now: else the answer is no, and somebody else was quicker',
    },
    force: FORCE_FLAG,
    timeout: {
      type: 'integer',
      value: 'MS',
      about: `milliseconds that new voters may take to have everything (${CHANGE_PATIENCE})`,
      least: 1,
    },
  },
  words: [0, 0],
  async perform(call, session) {
    const { members: named, expect } = call.flags;
    const members = idsIn(named);
    if (members.length === 0)
      throw new UsageError('change-membership: --members is missing: name every member that is to vote');
    const fields = { members, ...(expect !== undefined && { expect: idsIn(expect) }), ...forceIn(call) };
    return change('change-membership', fields, call, session);
  },
});

/** The ids in a list with commas. */
function idsIn(text: unknown): string[] {
  const ids = String(text ?? '').split(',');
  return ids.map(id => id.trim()).filter(id => id !== '');
}

function forceIn({ flags }: Call): { force?: true } {
  return flags.force === true ? { force: true } : {};
}

export const removeNode = clientVerb({
  name: 'remove-node',
  about: 'takes a node out of the cluster',
  usage: 'remove-node ID [--force]',
  details: `Whether it votes or not, runs or is lost. It is told, if it can be, and disturbs nobody afterwards; its process runs on
until somebody stops it. It comes back when it is added again (add-learner); one that has lost its data is best given a new id.

  raftline remove-node n3`,
  flags: { force: FORCE_FLAG },
  words: [1, 1],
  perform: (call, session) => change('remove-node', { node: call.words[0], ...forceIn(call) }, call, session),
});
