import { setTimeout as wait } from 'node:timers/promises';
import { ClientError, connect } from '../client.ts';
import type { MemberStatus, StatusReply } from '../results.ts';
import { ask, clientVerb, type Session } from './client-verb.ts';
import { report } from './outcome.ts';
import { print } from './print.ts';
import { describe, isAtWork, type Seen } from './status-report.ts';
import type { Call } from './verb.ts';

/** Milliseconds that a member has to answer for itself. */
const PATIENCE = 1_000;
/** Milliseconds between two looks with `--watch`. */
const PERIOD = 1_000;

export const status = clientVerb({
  name: 'status',
  about: 'shows every member, and says in words what is wrong',
  usage: 'status [--watch]',
  details: `Asks a node for its members, then every member for itself, so that REACHABLE is what is seen from here.
Exits with 0 when the cluster is at work (a member leads, and a majority of the voters answers and is heard by it),
with 1 when it is not, and with 3 when the node asked does not answer.

With --json it prints only the reply of the node asked, and exits with 0 when there is one.

  raftline status
  raftline status --watch            every second, until Ctrl-C`,
  flags: { watch: { type: 'boolean', about: 'look again every second, until Ctrl-C' } },
  words: [0, 0],
  perform: (call, session) => (call.flags.watch ? watch(call, session) : show(call, session, '')),
});

async function show(call: Call, session: Session, before: string): Promise<number> {
  const asked = await ask<StatusReply>('status', {}, call, session);
  if (call.flags.json) return 0;
  const seen = await survey(asked, session);
  await print(before + describe(asked, seen));
  return isAtWork(asked, seen) ? 0 : 1;
}

async function watch(call: Call, session: Session): Promise<number> {
  const stop = new AbortController();
  const stopNow = () => stop.abort();
  if (!session.isPrompt) process.once('SIGINT', stopNow);
  const signal = session.signal ? AbortSignal.any([session.signal, stop.signal]) : stop.signal;
  const clear = process.stdout.isTTY ? '\u001b[H\u001b[2J' : '';
  let last = 0;
  while (!signal.aborted) {
    try {
      last = await show(call, { ...session, signal }, clear);
    } catch (error) {
      if (signal.aborted) break;
      if (clear !== '' && !call.flags.json) process.stdout.write(clear);
      last = report(error, 'status');
      if (last === 2) break;
    }
    await wait(PERIOD, undefined, { signal }).catch(() => {});
  }
  process.off('SIGINT', stopNow);
  return signal.aborted ? 0 : last;
}

/** Every member's own word, all asked at once. The node that was asked has answered already. */
function survey(asked: StatusReply, { signal }: Session): Promise<Seen[]> {
  const self: MemberStatus = { id: asked.node, address: asked.address, role: 'voter' };
  const isListed = asked.members.some(({ id }) => id === asked.node);
  const members = isListed ? asked.members : [self, ...asked.members];
  return Promise.all(
    members.map(member => (member.id === asked.node ? { member, status: asked } : askMember(member, signal))),
  );
}

async function askMember(member: MemberStatus, signal: AbortSignal | undefined): Promise<Seen> {
  try {
    const client = connect(member.address, { failFast: true, timeout: PATIENCE });
    try {
      return { member, status: await client.status(signal && { signal }) };
    } finally {
      await client.close();
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const isUnreachable = error instanceof ClientError && error.code === 'NODE_UNREACHABLE';
    return { member, why: isUnreachable ? error.message.replace(/^no node answers: /, '') : error.message };
  }
}
