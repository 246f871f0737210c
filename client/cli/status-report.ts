import type { MemberStatus, StatusReply } from '../results.ts';
import { count, visible } from './print.ts';

/** A member as seen from here: its own word, or why there is none. */
export interface Seen {
  readonly member: MemberStatus;
  readonly status?: StatusReply;
  readonly why?: string;
}

/** A member this many entries behind the leader is worth a word. */
const FAR_BEHIND = 1_000;
const NONE = '–';

/** The whole of what `status` prints. */
export function describe(asked: StatusReply, seen: readonly Seen[]): string {
  return [heading(asked), '', ...table(seen), '', ...findings(asked, seen)].map(visible).join('\n');
}

function heading(asked: StatusReply): string {
  const { node, address, version, stage, uptime, rev, keys, cluster } = asked;
  const of = cluster === null ? '' : ` of cluster ${cluster}`;
  const has = `revision ${rev}, ${count(keys, 'key')}`;
  return `${node} at ${address}${of}: ${has}; stage ${stage}, version ${version}, up ${duration(uptime)}`;
}

function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

const HEADER = ['MEMBER', 'ADDRESS', 'ROLE', 'TERM', 'COMMIT', 'APPLIED', 'LAG', 'REACHABLE'];
const NUMBERS: ReadonlySet<string> = new Set(['TERM', 'COMMIT', 'APPLIED', 'LAG']);

function table(seen: readonly Seen[]): string[] {
  const leader = leaderOf(seen);
  const rows = seen.map(({ member, status }) => {
    const lag = leader?.members.find(({ id }) => id === member.id)?.lag;
    // A node alone has no log, and so no term and no indexes.
    const indexes =
      status === undefined || status.role === 'single'
        ? [NONE, NONE, NONE]
        : [status.term, status.commit, status.applied];
    const role = status?.role ?? member.role;
    return [member.id, member.address, role, ...indexes, lag ?? NONE, status ? 'yes' : 'NO'].map(String);
  });
  const all = [HEADER, ...rows];
  const widths = HEADER.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0)));
  return all.map(row =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return NUMBERS.has(HEADER[column] ?? '') ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

/** The member that leads in the highest term: an old leader may not know yet that it is one no longer. */
function leaderOf(seen: readonly Seen[]): StatusReply | undefined {
  const leaders = seen.flatMap(({ status }) => (status?.role === 'leader' ? [status] : []));
  return leaders.sort((a, b) => b.term - a.term)[0];
}

/** In words, what is wrong and what it means; or that all is well. */
export function findings(asked: StatusReply, seen: readonly Seen[]): string[] {
  if (asked.role === 'single') return ['One node, one copy: there is nobody to take over when it fails.'];
  if (asked.role === 'uninitialised') {
    return [`${asked.node} belongs to no cluster yet: send it init, or start it with --nodes.`];
  }
  if (asked.removed === true) return [asked.notice ?? `${asked.node} was removed from its cluster.`];
  const leader = leaderOf(seen);
  const wrong = [...silent(seen), ...strangers(asked, seen), ...quorum(seen), ...leadership(seen, leader)];
  wrong.push(...unheard(seen, leader));
  for (const { id, lag = 0 } of leader?.members ?? []) {
    const isHere = seen.some(({ member, status }) => member.id === id && status);
    if (isHere && lag > FAR_BEHIND)
      wrong.push(`${id} is ${count(lag, 'entry', 'entries')} behind the leader.`);
  }
  if (wrong.length > 0) return wrong;
  const everyone = seen.length === 1 ? 'the only member answers' : `all ${seen.length} members answer`;
  return [`All is well: ${everyone}, and ${leader?.node} leads.`];
}

function silent(seen: readonly Seen[]): string[] {
  return seen.flatMap(({ member, why }) =>
    why === undefined ? [] : [`${member.id} does not answer: ${why}.`],
  );
}

function strangers(asked: StatusReply, seen: readonly Seen[]): string[] {
  return seen.flatMap(({ member, status }) => {
    if (status === undefined) return [];
    if (status.node !== member.id)
      return [`At ${member.address}, where ${member.id} should be, is ${status.node}.`];
    if (status.cluster !== asked.cluster)
      return [`${member.id} belongs to another cluster (${status.cluster}).`];
    return [];
  });
}

function quorum(seen: readonly Seen[]): string[] {
  const voters = seen.filter(({ member }) => member.role === 'voter');
  const here = voters.filter(({ status }) => status !== undefined).length;
  const needed = Math.floor(voters.length / 2) + 1;
  if (here === voters.length) return [];
  const answer = `${here} of ${count(voters.length, 'voter')} ${here === 1 ? 'answers' : 'answer'}`;
  if (here < needed) {
    return [
      `Only ${answer}, and ${needed} are needed: no writes and no linearizable reads until more are back.`,
    ];
  }
  return [`${answer}${here === needed ? ': one more failure, and writes stop' : ''}.`];
}

/** Members that answer us, but not their leader: the network between them is at fault. */
function unheard(seen: readonly Seen[], leader: StatusReply | undefined): string[] {
  if (leader === undefined) return [];
  const answering = new Set(seen.flatMap(({ member, status }) => (status ? [member.id] : [])));
  const lost = leader.members.filter(({ id, active }) => active === false && answering.has(id));
  if (lost.length === 0) return [];
  const voters = leader.members.filter(({ role }) => role === 'voter');
  const heard = voters.filter(({ active }) => active !== false).length;
  const ids = lost.map(({ id }) => id).join(', ');
  const words = `${leader.node} leads, but does not hear ${ids}, which ${lost.length === 1 ? 'answers' : 'answer'} from here`;
  return [
    heard * 2 > voters.length
      ? `${words}.`
      : `${words}: without a majority, no writes and no linearizable reads.`,
  ];
}

function leadership(seen: readonly Seen[], leader: StatusReply | undefined): string[] {
  if (leader === undefined) return ['No member that answers is the leader: writes wait until there is one.'];
  return seen.flatMap(({ status }) => {
    if (status === undefined || status.leader?.id === leader.node) return [];
    const follows = status.leader === null ? 'knows no leader' : `takes ${status.leader.id} for the leader`;
    return [`${status.node} ${follows}; ${leader.node} leads in term ${leader.term}.`];
  });
}
