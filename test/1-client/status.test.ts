import { expect } from 'chai';
import { describe as describeStatus, findings, isAtWork, type Seen } from '../../client/cli/status-report.ts';
import type { MemberStatus, StatusReply } from '../../client/results.ts';
import { raftline } from './program.ts';
import { deadAddress, reply, scripted } from './servers.ts';

const address = (id: string) => `10.0.0.${id.slice(1)}:7001`;

/** A cluster of three as n1, its leader, sees it. */
function statusOf(id: string, changes: Partial<StatusReply> = {}): StatusReply {
  const members = ['n1', 'n2', 'n3'].map((member): MemberStatus => {
    return { id: member, address: address(member), role: 'voter', ...(id === 'n1' && { lag: 0 }) };
  });
  return {
    ok: true,
    rev: 12,
    node: id,
    address: address(id),
    version: '0.1.0',
    cluster: 'c1',
    stage: 6,
    role: id === 'n1' ? 'leader' : 'follower',
    term: 4,
    leader: { id: 'n1', address: address('n1') },
    commit: 40,
    applied: 40,
    log: { first: 1, last: 40, bytes: 4_000 },
    snapshot: { index: 0, term: 0, bytes: 0 },
    keys: 1_234,
    connections: 1,
    watches: 0,
    uptime: 93_784,
    members,
    ...changes,
  };
}

function seen(statuses: Readonly<Record<string, StatusReply | string>>): Seen[] {
  return Object.entries(statuses).map(([id, status]) => {
    const member: MemberStatus = { id, address: address(id), role: 'voter' };
    return typeof status === 'string' ? { member, why: status } : { member, status };
  });
}

const n1 = statusOf('n1');
const n2 = statusOf('n2');
const n3 = statusOf('n3');
const refused = (id: string) => `${address(id)} refused the connection (ECONNREFUSED)`;

describe('what status says', () => {
  it('is the way out, at a node that was removed', () => {
    const notice = 'n2 was removed from its cluster: stop it';
    expect(findings({ ...n2, removed: true, notice }, seen({ n2 }))).to.deep.equal([notice]);
  });

  it('is a table with a row for every member', () => {
    const text = describeStatus(n1, seen({ n1, n2, n3: refused('n3') }));
    expect(text.split('\n')).to.deep.equal([
      'n1 at 10.0.0.1:7001 of cluster c1: revision 12, 1,234 keys; stage 6, version 0.1.0, up 1 d 2 h',
      '',
      'MEMBER  ADDRESS        ROLE      TERM  COMMIT  APPLIED  LAG  REACHABLE',
      'n1      10.0.0.1:7001  leader       4      40       40    0  yes',
      'n2      10.0.0.2:7001  follower     4      40       40    0  yes',
      'n3      10.0.0.3:7001  voter        –       –        –    0  NO',
      '',
      'n3 does not answer: 10.0.0.3:7001 refused the connection (ECONNREFUSED).',
      '2 of 3 voters answer: one more failure, and writes stop.',
    ]);
  });

  it('tells members apart that hold different states after the same entry, as no two may', () => {
    const one = statusOf('n1', { hash: 'a-12' });
    const same = statusOf('n2', { hash: 'a-12' });
    const other = statusOf('n3', { hash: 'b-12' });
    expect(findings(one, seen({ n1: one, n2: same, n3: other }))).to.deep.equal([
      'n3 and n1, n2 hold different states after entry 40, as no two members may: keep a copy of each data directory ' +
        'before anything else, and compare them with raftline log --data DIR.',
    ]);
    const behindIt = statusOf('n3', { hash: 'b-11', applied: 39 });
    expect(findings(one, seen({ n1: one, n2: same, n3: behindIt }))[0]).to.match(/^All is well/);
  });

  const former = statusOf('n2', { role: 'leader', term: 3, leader: { id: 'n2', address: address('n2') } });
  const behind = statusOf('n1', {
    members: n1.members.map(member => (member.id === 'n3' ? { ...member, lag: 5_210 } : member)),
  });
  const elsewhere = statusOf('n2', {
    role: 'leader',
    cluster: 'c2',
    leader: { id: 'n2', address: address('n2') },
  });
  const adrift = statusOf('n2', { role: 'candidate', term: 5, leader: null });
  const lost = 'n3 has lost its data, and with it the votes it gave: remove it with remove-node';
  const wiped = statusOf('n3', { role: 'candidate', leader: null, notice: lost });
  const deafTo3 = statusOf('n1', {
    notice: lost,
    members: n1.members.map(member => ({ ...member, active: member.id !== 'n3' })),
  });
  for (const [title, statuses, said] of [
    [
      'a member has lost its data, and is not listened to',
      { n1: deafTo3, n2, n3: wiped },
      [
        `${lost}.`,
        'n3 knows no leader; n1 leads in term 4.',
        'n1 leads, but does not hear n3, which answers from here: one more failure, and writes stop.',
      ],
    ],
    [
      'a member has lost its data, and waits for a cluster',
      { n1, n2, n3: statusOf('n3', { role: 'uninitialised', cluster: null, notice: lost }) },
      [`${lost}.`, '2 of 3 voters answer: one more failure, and writes stop.'],
    ],
    [
      'all is well, but one failure would be too many',
      { n1, n2 },
      [
        'All is well: all 2 members answer, and n1 leads.',
        'Two voters, and both are needed: when one fails, writes stop. Three outlast the loss of one.',
      ],
    ],
    ['all is well', { n1, n2, n3 }, ['All is well: all 3 members answer, and n1 leads.']],
    [
      'a majority is lost',
      { n1, n2: refused('n2'), n3: refused('n3') },
      [
        'n2 does not answer: 10.0.0.2:7001 refused the connection (ECONNREFUSED).',
        'n3 does not answer: 10.0.0.3:7001 refused the connection (ECONNREFUSED).',
        'Only 1 of 3 voters answers, and 2 are needed: no writes and no linearizable reads until more are back.',
      ],
    ],
    [
      'a former leader does not know yet',
      { n1, n2: former, n3 },
      ['n2 takes n2 for the leader; n1 leads in term 4.'],
    ],
    ['a member knows no leader', { n1, n2: adrift, n3 }, ['n2 knows no leader; n1 leads in term 4.']],
    [
      'nobody leads',
      { n2: adrift },
      ['No member that answers is the leader: writes wait until there is one.'],
    ],
    ['a member is far behind', { n1: behind, n2, n3 }, ['n3 is 5,210 entries behind the leader.']],
    [
      'another node sits at an address',
      { n1, n2: n3, n3 },
      [
        'At 10.0.0.2:7001, where n2 should be, is n3.',
        '2 of 3 voters answer: one more failure, and writes stop.',
      ],
    ],
    [
      'what leads elsewhere is no leader here: at an old member, with a node that has gone on without it',
      { n1: statusOf('n1', { role: 'follower' }), n2: elsewhere, n3 },
      [
        'n2 belongs to another cluster (c2), and does not count in this one.',
        '2 of 3 voters answer: one more failure, and writes stop.',
        'No member that answers is the leader: writes wait until there is one.',
      ],
    ],
    [
      'a member was removed, or waits to be called',
      { n1, n2: statusOf('n2', { removed: true }), n3: statusOf('n3', { cluster: null }) },
      [
        'n2 says that it was removed from the cluster.',
        'n3 belongs to no cluster yet.',
        'Only 1 of 3 voters answers, and 2 are needed: no writes and no linearizable reads until more are back.',
      ],
    ],
  ] as const) {
    it(`tells when ${title}`, () => {
      const [asked = n1] = Object.values(statuses).filter(one => typeof one === 'object');
      expect(findings(asked, seen(statuses))).to.deep.equal(said);
    });
  }

  it('shows in the table what is no member, with no index of another log', () => {
    const text = describeStatus(n1, seen({ n1, n2: elsewhere, n3: statusOf('n3', { removed: true }) }));
    expect(text).to.match(/^n2 +10.0.0.2:7001 +another cluster +– +– +– +0 {2}yes$/m);
    expect(text).to.match(/^n3 +10.0.0.3:7001 +removed +– +– +– +0 {2}yes$/m);
  });

  it('is at work with a leader, and a majority that answers and is heard by it', () => {
    const deaf = statusOf('n1', {
      members: n1.members.map(member => ({ ...member, active: member.id === 'n1' })),
    });
    for (const [statuses, expected] of [
      [{ n1, n2, n3 }, true],
      [{ n1, n2, n3: refused('n3') }, true],
      [{ n1, n2: refused('n2'), n3: refused('n3') }, false],
      [{ n2, n3, n1: refused('n1') }, false],
      [{ n1: deaf, n2, n3 }, false],
      [{ n1, n2: elsewhere, n3: elsewhere }, false],
      [{ n1: statusOf('n1', { role: 'single' }) }, true],
    ] as const) {
      const [asked = n1] = Object.values(statuses).filter(one => typeof one === 'object');
      expect(isAtWork(asked, seen(statuses)), JSON.stringify(Object.keys(statuses))).to.equal(expected);
    }
  });

  it('does not talk of majorities to a node alone', () => {
    const single = statusOf('n1', { role: 'single' });
    expect(findings(single, seen({ n1: single }))).to.deep.equal([
      'One node, one copy: there is nobody to take over when it fails.',
    ]);
    const waiting = statusOf('n1', { role: 'uninitialised', members: [] });
    expect(findings(waiting, seen({ n1: waiting }))[0]).to.include('belongs to no cluster yet');
  });

  it('asks every member for itself, and names the one that does not answer', async () => {
    const dead = await deadAddress();
    const members: MemberStatus[] = [];
    const statusHere = (id: string) => statusOf(id, { members, address: '' });
    const one = await scripted((request, socket) => reply(socket, request.id, statusHere('n1')));
    const two = await scripted((request, socket) => reply(socket, request.id, statusHere('n2')));
    members.push(
      { id: 'n1', address: one.address, role: 'voter', lag: 0 },
      { id: 'n2', address: two.address, role: 'voter', lag: 3 },
      { id: 'n3', address: dead, role: 'voter', lag: 9 },
    );
    const { status, out } = await raftline(['status', '--address', one.address]);
    expect(status).to.equal(0);
    expect(out).to.match(/^n2 .* 3 {2}yes$/m);
    expect(out).to.match(/^n3 .* 9 {2}NO$/m);
    expect(out).to.include(`n3 does not answer: ${dead} refused the connection (ECONNREFUSED).`);
    expect(one.heard, 'the node that was asked is not asked twice').to.have.length(1);
    await two.close();
    // A minority is all that is left, and that is what the exit status says.
    expect((await raftline(['status', '--address', one.address])).status).to.equal(1);
    expect((await raftline(['status', '--json', '--address', one.address])).status).to.equal(0);
    await one.close();
  });
});
