import type { MemberStatus, StatusReply } from '../results.ts';
import { count, visible } from './print.ts';

/** A member as seen from here: its own word, or why there is none. */
export interface Seen {
  readonly member: MemberStatus;
  readonly status?: StatusReply;
  readonly why?: string;
}

/** What a node turns out to be that is not the member it is asked for; undefined for one that is. */
function strangeness(asked: StatusReply, { member, status }: Seen): string | undefined {
  if (status === undefined) return undefined;
  if (status.node !== member.id) return 'another node';
  if (status.removed === true) return 'removed';
  if (status.cluster === asked.cluster) return undefined;
  return status.cluster === null ? 'no cluster' : 'another cluster';
}

/** Those who answer as the members that they are asked for. Only they may be counted, followed, or found to lead. */
function present(asked: StatusReply, seen: readonly Seen[]): Present[] {
  return seen.flatMap(each =>
    each.status === undefined || strangeness(asked, each) !== undefined
      ? []
      : [{ ...each, status: each.status }],
  );
}

interface Present extends Seen {
  readonly status: StatusReply;
}

/** A member this many entries behind the leader is worth a word. */
const FAR_BEHIND = 1_000;
const NONE = '–';

/** The whole of what `status` prints. */
export function describe(asked: StatusReply, seen: readonly Seen[]): string {
  return [heading(asked), '', ...table(asked, seen), '', ...findings(asked, seen)].map(visible).join('\n');
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

function table(asked: StatusReply, seen: readonly Seen[]): string[] {
  const leader = leaderOf(present(asked, seen));
  const rows = seen.map(each => {
    const { member, status } = each;
    const lag = leader?.members.find(({ id }) => id === member.id)?.lag;
    const strange = strangeness(asked, each);
    // A node alone has no log, and so no term and no indexes; those of another log tell nothing here.
    const indexes =
      status === undefined || status.role === 'single' || strange !== undefined
        ? [NONE, NONE, NONE]
        : [status.term, status.commit, status.applied];
    const role = strange ?? status?.role ?? member.role;
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
function leaderOf(here: readonly Present[]): StatusReply | undefined {
  const leaders = here.flatMap(({ status }) => (status.role === 'leader' ? [status] : []));
  return leaders.sort((a, b) => b.term - a.term)[0];
}

/** Whether the cluster is at work, as far as can be seen from here: a leader, who hears a majority, and a majority that answers. */
export function isAtWork(asked: StatusReply, seen: readonly Seen[]): boolean {
  if (asked.role === 'single') return true;
  const here = present(asked, seen);
  const leader = leaderOf(here);
  if (leader === undefined || !hearsMajority(leader)) return false;
  const { needed, answering } = votersIn(seen, here);
  return answering >= needed;
}

/** In words, what is wrong and what it means; or that all is well. */
export function findings(asked: StatusReply, seen: readonly Seen[]): string[] {
  if (asked.role === 'single') return ['One node, one copy: there is nobody to take over when it fails.'];
  if (asked.role === 'uninitialised') {
    if (asked.notice !== undefined) return [`${asked.notice}.`];
    return [`${asked.node} belongs to no cluster yet: send it init, or start it with --nodes.`];
  }
  if (asked.removed === true) return [asked.notice ?? `${asked.node} was removed from its cluster.`];
  const here = present(asked, seen);
  const leader = leaderOf(here);
  const wrong = [
    ...silent(seen),
    ...strangers(asked, seen),
    ...notices(asked, seen),
    ...quorum(seen, here),
    ...leadership(here, leader),
    ...unheard(here, leader),
    ...divergence(here),
  ];
  for (const { id, lag = 0 } of leader?.members ?? []) {
    if (lag > FAR_BEHIND && here.some(({ member }) => member.id === id))
      wrong.push(`${id} is ${count(lag, 'entry', 'entries')} behind the leader.`);
  }
  if (wrong.length > 0) return wrong;
  const everyone = seen.length === 1 ? 'the only member answers' : `all ${seen.length} members answer`;
  return [`All is well: ${everyone}, and ${leader?.node} leads.`, ...frailty(votersIn(seen, here).voters)];
}

/** Where nothing is wrong, and yet one failure is too many. */
function frailty(voters: number): string[] {
  if (voters > 2) return [];
  const all =
    voters === 1 ? 'One voter alone: when it fails' : 'Two voters, and both are needed: when one fails';
  return [`${all}, writes stop. Three outlast the loss of one.`];
}

function silent(seen: readonly Seen[]): string[] {
  return seen.flatMap(({ member, why }) =>
    why === undefined ? [] : [`${member.id} does not answer: ${why}.`],
  );
}

function strangers(asked: StatusReply, seen: readonly Seen[]): string[] {
  return seen.flatMap(each => {
    const { member, status } = each;
    switch (strangeness(asked, each)) {
      case 'another node':
        return [`At ${member.address}, where ${member.id} should be, is ${status?.node}.`];
      case 'another cluster':
        return [
          `${member.id} belongs to another cluster (${status?.cluster}), and does not count in this one.`,
        ];
      case 'no cluster':
        return status?.notice === undefined ? [`${member.id} belongs to no cluster yet.`] : [];
      case 'removed':
        return [`${member.id} says that it was removed from the cluster.`];
      default:
        return [];
    }
  });
}

/** What members know of themselves that a person has to mend. Several may say the same of one. */
function notices(asked: StatusReply, seen: readonly Seen[]): string[] {
  const said = seen.flatMap(each => {
    const strange = strangeness(asked, each);
    const isOwn = strange === undefined || strange === 'no cluster';
    return isOwn && each.status?.notice !== undefined ? each.status.notice.split('; ') : [];
  });
  return [...new Set(said)].map(notice => `${notice}.`);
}

/** How many voters there are, how many of them answer, and how many are a majority. */
function votersIn(seen: readonly Seen[], here: readonly Present[]) {
  const isVoter = ({ member }: Seen) => member.role === 'voter';
  const voters = seen.filter(isVoter).length;
  return { voters, answering: here.filter(isVoter).length, needed: majorityOf(voters) };
}

function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

function quorum(seen: readonly Seen[], here: readonly Present[]): string[] {
  const { voters, answering, needed } = votersIn(seen, here);
  if (answering === voters) return [];
  const answer = `${answering} of ${count(voters, 'voter')} ${answering === 1 ? 'answers' : 'answer'}`;
  if (answering < needed) {
    return [
      `Only ${answer}, and ${needed} are needed: no writes and no linearizable reads until more are back.`,
    ];
  }
  return [`${answer}${answering === needed ? LAST_FAILURE : ''}.`];
}

const LAST_FAILURE = ': one more failure, and writes stop';

/** How many voters a leader can lose, of those that it hears; below 0 when it hears no majority. */
function spareOf({ members }: StatusReply): number {
  const voters = members.filter(({ role }) => role === 'voter');
  const heard = voters.filter(({ active }) => active !== false).length;
  return heard - majorityOf(voters.length);
}

function hearsMajority(leader: StatusReply): boolean {
  return spareOf(leader) >= 0;
}

/** Members that answer us, but not their leader: the network between them is at fault. */
function unheard(here: readonly Present[], leader: StatusReply | undefined): string[] {
  if (leader === undefined) return [];
  const answering = new Set(here.map(({ member }) => member.id));
  const lost = leader.members.filter(({ id, active }) => active === false && answering.has(id));
  if (lost.length === 0) return [];
  const ids = lost.map(({ id }) => id).join(', ');
  const words = `${leader.node} leads, but does not hear ${ids}, which ${lost.length === 1 ? 'answers' : 'answer'} from here`;
  const spare = spareOf(leader);
  if (spare < 0) return [`${words}: without a majority, no writes and no linearizable reads.`];
  return [`${words}${spare === 0 ? LAST_FAILURE : ''}.`];
}

/** Members that hold different states after the same entry, as no two ever may; those that have applied others cannot be compared. */
function divergence(here: readonly Present[]): string[] {
  const byEntry = new Map<number, Map<string, string[]>>();
  for (const { status } of here) {
    const { node, applied, hash } = status;
    if (hash === undefined) continue;
    const byHash = byEntry.get(applied) ?? new Map<string, string[]>();
    byEntry.set(applied, byHash.set(hash, [...(byHash.get(hash) ?? []), node]));
  }
  return [...byEntry].flatMap(([applied, byHash]) => {
    const [most = [], ...others] = [...byHash.values()].sort((a, b) => b.length - a.length);
    return others.map(
      ids =>
        `${ids.join(', ')} and ${most.join(', ')} hold different states after entry ${applied}, as no two members may: ` +
        'keep a copy of each data directory before anything else, and compare them with raftline log --data DIR.',
    );
  });
}

function leadership(here: readonly Present[], leader: StatusReply | undefined): string[] {
  if (leader === undefined) return ['No member that answers is the leader: writes wait until there is one.'];
  return here.flatMap(({ status }) => {
    if (status.leader?.id === leader.node) return [];
    const follows = status.leader === null ? 'knows no leader' : `takes ${status.leader.id} for the leader`;
    return [`${status.node} ${follows}; ${leader.node} leads in term ${leader.term}.`];
  });
}
