import { expect } from 'chai';
import type { Message, RequestVote, Vote } from '../../src/raft/messages.ts';
import { Raft } from '../../stages/6-election/raft.ts';
import { CoreCluster } from '../shared/core-cluster.ts';
import { type Durable, diskWith } from '../shared/model-disk.ts';

const THREE = ['n1', 'n2', 'n3'];
const FIVE = ['n1', 'n2', 'n3', 'n4', 'n5'];

function clusterOf(
  disks: Readonly<Record<string, Durable>> = {},
  nodes: readonly string[] = THREE,
): CoreCluster {
  return new CoreCluster({
    nodes,
    disks,
    make: (beginning, timing, random) => new Raft(beginning, timing, random),
  });
}

/** A cluster that n1 leads. */
function ledCluster(disks: Readonly<Record<string, Durable>> = {}, nodes: readonly string[] = THREE) {
  const cluster = clusterOf(disks, nodes);
  cluster.timeOut('n1');
  cluster.deliverAll();
  expect(cluster.leaders).to.deep.equal(['n1']);
  return cluster;
}

function request(term: number, [lastIndex, lastTerm]: readonly [number, number], pre = false): RequestVote {
  return { type: 'request-vote', term, pre, transfer: false, lastIndex, lastTerm };
}

/** Hands n2 a request and returns what it answers. */
function ask(cluster: CoreCluster, from: string, message: Message): Vote | undefined {
  const before = cluster.queue('n2', from).length;
  cluster.step(from, 'n2', message);
  return cluster
    .queue('n2', from)
    .slice(before)
    .find((answer): answer is Vote => answer.type === 'vote');
}

describe('stage 6: terms (§5.1)', () => {
  it('begin with 0, before anyone has stood (Figure 2, currentTerm)', () => {
    expect(clusterOf().core('n1').state.term).to.equal(0);
  });

  it('whoever hears of a later one enters it and follows (Figure 2, all servers)', () => {
    const cluster = ledCluster();
    cluster.step('n2', 'n1', { type: 'append-refused', term: 9, prevIndex: 0, hint: 0, hintTerm: 0 });
    expect(cluster.core('n1').state).to.include({ term: 9, role: 'follower', vote: null });
  });

  it('a candidate that hears of a later one follows as well (§5.1)', () => {
    const cluster = clusterOf();
    cluster.timeOut('n1');
    cluster.deliverRound();
    cluster.deliverRound();
    expect(cluster.core('n1').state.role).to.equal('candidate');
    cluster.step('n2', 'n1', { type: 'vote', term: 5, pre: false, granted: false });
    expect(cluster.core('n1').state).to.include({ term: 5, role: 'follower' });
  });

  for (const message of [
    { type: 'append', term: 1, prevIndex: 0, prevTerm: 0, entries: [], commit: 0 },
    { type: 'heartbeat', term: 1, commit: 0, round: 3 },
    request(1, [9, 9]),
    request(1, [9, 9], true),
  ] as const) {
    const name = `${message.type}${'pre' in message && message.pre ? ' (pre)' : ''}`;
    it(`${name}: the past is refused, and told the term (Figure 2, AppendEntries 1 and RequestVote 1)`, () => {
      const cluster = clusterOf({ n2: diskWith([], { term: 4 }) });
      cluster.step('n1', 'n2', message);
      const [answer] = cluster.queue('n2', 'n1');
      expect(answer?.term).to.equal(4);
      expect(cluster.core('n2').state).to.include({ term: 4, leader: null });
      expect(answer).to.not.include({ granted: true });
    });
  }

  for (const message of [
    { type: 'appended', term: 0, match: 7 },
    { type: 'append-refused', term: 0, prevIndex: 1, hint: 0, hintTerm: 0 },
    { type: 'heartbeat-answer', term: 0, round: 99 },
    { type: 'vote', term: 0, pre: false, granted: true },
    { type: 'read-index', term: 0, number: 1 },
    { type: 'read-index-answer', term: 0, number: 1, index: 1 },
    { type: 'timeout-now', term: 0 },
  ] as const) {
    it(`${message.type}: an answer from the past changes nothing (§5.1)`, () => {
      const cluster = ledCluster();
      cluster.read('n1', 1);
      for (const id of ['n2', 'n3']) cluster.drop('n1', id);
      const { match, next } = cluster.core('n1').state.progress.get('n2') ?? { match: -1, next: -1 };
      cluster.step('n2', 'n1', message);
      expect(cluster.core('n1').state).to.include({ role: 'leader', term: 1 });
      expect(cluster.core('n1').state.progress.get('n2')).to.include({ match, next });
      expect(cluster.granted('n1')).to.deep.equal([]);
      expect(cluster.queue('n1')).to.deep.equal([]);
    });
  }

  it('each has one leader at most (§5.2): two in one is a broken invariant, and stops the node', () => {
    const cluster = ledCluster();
    expect(() => cluster.step('n3', 'n1', { type: 'heartbeat', term: 1, commit: 0, round: 1 })).to.throw(
      'broken invariant',
    );
  });
});

describe('stage 6: votes (§5.2, §5.4.1)', () => {
  it('go to whoever asks first, and then to that one only (Figure 2, RequestVote 2)', () => {
    const cluster = clusterOf();
    expect(ask(cluster, 'n1', request(1, [0, 0]))?.granted).to.equal(true);
    expect(ask(cluster, 'n3', request(1, [0, 0]))?.granted).to.equal(false);
    expect(ask(cluster, 'n1', request(1, [0, 0]))?.granted).to.equal(true);
  });

  it('are free again in the next term (§5.2)', () => {
    const cluster = clusterOf();
    ask(cluster, 'n1', request(1, [0, 0]));
    expect(ask(cluster, 'n3', request(2, [0, 0]))?.granted).to.equal(true);
  });

  it('are remembered across a crash (Figure 2, votedFor)', () => {
    const cluster = clusterOf();
    ask(cluster, 'n1', request(1, [0, 0]));
    cluster.crash('n2');
    cluster.restart('n2');
    expect(ask(cluster, 'n3', request(1, [0, 0]))?.granted).to.equal(false);
  });

  it('are told only when they are durable (Figure 2, “updated on stable storage before responding”)', () => {
    const cluster = clusterOf();
    cluster.holdDisk('n2');
    expect(ask(cluster, 'n1', request(1, [0, 0]))).to.equal(undefined);
    cluster.sync('n2');
    expect(cluster.queue('n2', 'n1')).to.deep.equal([{ type: 'vote', term: 1, pre: false, granted: true }]);
  });

  for (const [words, last, granted] of [
    ['a log that ends in an earlier term is refused, however long', [9, 2], false],
    ['a log that ends in the same term and is shorter is refused', [2, 3], false],
    ['a log that is equal gets the vote', [3, 3], true],
    ['a log that ends in the same term and is longer gets the vote', [4, 3], true],
    ['a log that ends in a later term gets the vote, however short', [1, 4], true],
  ] as const) {
    for (const pre of [false, true]) {
      it(`${words}${pre ? ', and so it is when only asked' : ''} (§5.4.1)`, () => {
        const cluster = clusterOf({ n2: diskWith([1, 2, 3]) });
        expect(ask(cluster, 'n1', request(5, last, pre))?.granted).to.equal(granted);
      });
    }
  }

  it('refused for its log, a candidate has still told of its term (§5.1)', () => {
    const cluster = clusterOf({ n2: diskWith([1, 2, 3]) });
    expect(ask(cluster, 'n1', request(5, [1, 1]))).to.include({ granted: false, term: 5 });
    expect(cluster.core('n2').state).to.include({ term: 5, vote: null });
  });

  it('given, they start the patience of the voter anew (Figure 2, followers)', () => {
    const cluster = clusterOf();
    cluster.tick('n2', 14);
    ask(cluster, 'n1', request(1, [0, 0]));
    cluster.tick('n2', 14);
    expect(cluster.core('n2').state.role).to.equal('follower');
  });

  it('refused, they do not (Figure 2, followers)', () => {
    const cluster = clusterOf({ n2: diskWith([1, 2, 3]) });
    cluster.tick('n2', 14);
    ask(cluster, 'n1', request(5, [1, 1]));
    cluster.tick('n2', 1);
    expect(cluster.core('n2').state.role).to.equal('pre-candidate');
  });
});

describe('stage 6: elections (§5.2)', () => {
  it('a node begins as a follower, and stays one while it hears a leader (§5.2)', () => {
    const cluster = ledCluster();
    for (let tick = 0; tick < 100; tick += 1) {
      cluster.tickAll();
      cluster.deliverAll();
    }
    expect(cluster.core('n2').state).to.include({ role: 'follower', term: 1, leader: 'n1' });
  });

  it('whoever hears nobody for an election timeout wants one (Figure 2, followers)', () => {
    const cluster = clusterOf();
    cluster.tick('n1', cluster.timing.electionTicks - 1);
    expect(cluster.core('n1').state.role).to.equal('follower');
    cluster.timeOut('n1');
    expect(cluster.core('n1').state.role).to.equal('pre-candidate');
  });

  it('entries alone keep followers patient, without any heartbeat (Figure 2, followers)', () => {
    const cluster = ledCluster();
    for (let tick = 0; tick < 50; tick += 1) {
      cluster.tick('n2');
      cluster.propose('n1', `c${tick}`);
      cluster.deliverAll();
    }
    expect(cluster.core('n2').state).to.include({ role: 'follower', term: 1 });
  });

  it('a candidate enters the next term, votes for itself and asks everyone (Figure 2, candidates)', () => {
    const cluster = clusterOf({ n1: diskWith([1, 2]), n2: diskWith([1]), n3: diskWith([1]) });
    cluster.timeOut('n1');
    cluster.deliverRound();
    cluster.deliverRound();
    expect(cluster.core('n1').state).to.include({ term: 3, role: 'candidate', vote: 'n1' });
    for (const voter of ['n2', 'n3']) {
      expect(cluster.queue('n1', voter)).to.deep.equal([request(3, [2, 2])]);
    }
  });

  it('a candidate asks nobody before its own vote is durable (Figure 2, persistent state)', () => {
    const cluster = clusterOf();
    cluster.timeOut('n1');
    cluster.deliverRound();
    cluster.holdDisk('n1');
    cluster.deliverRound();
    expect(cluster.core('n1').state).to.include({ role: 'candidate', term: 1 });
    expect(cluster.queue('n1')).to.deep.equal([]);
    cluster.sync('n1');
    expect(cluster.queue('n1')).to.have.length(2);
  });

  it('votes of a majority make a leader, fewer do not (Figure 2, candidates)', () => {
    const cluster = clusterOf({}, FIVE);
    cluster.timeOut('n1');
    for (let round = 0; round < 3; round += 1) cluster.deliverRound();
    cluster.deliver('n2', 'n1');
    expect(cluster.core('n1').state.role).to.equal('candidate');
    cluster.deliver('n3', 'n1');
    expect(cluster.core('n1').state.role).to.equal('leader');
  });

  it('one vote that comes twice is one vote (§5.2)', () => {
    const cluster = clusterOf({}, FIVE);
    cluster.timeOut('n1');
    for (let round = 0; round < 3; round += 1) cluster.deliverRound();
    cluster.duplicate('n2', 'n1');
    cluster.deliver('n2', 'n1');
    expect(cluster.core('n1').state.role).to.equal('candidate');
  });

  it('a candidate that hears the leader of its term follows it (Figure 2, candidates)', () => {
    const cluster = clusterOf();
    cluster.timeOut('n1');
    cluster.deliverRound();
    cluster.deliverRound();
    cluster.step('n2', 'n1', { type: 'heartbeat', term: 1, commit: 0, round: 1 });
    expect(cluster.core('n1').state).to.include({ role: 'follower', leader: 'n2', term: 1 });
  });

  it('a candidate that nobody answers tries again (Figure 2, candidates)', () => {
    const cluster = clusterOf();
    cluster.timeOut('n1');
    cluster.deliverRound();
    cluster.deliverRound();
    for (const voter of ['n2', 'n3']) cluster.drop('n1', voter);
    cluster.timeOut('n1');
    cluster.deliverAll();
    expect(cluster.core('n1').state).to.include({ role: 'leader', term: 2 });
  });

  it('votes that are split decide nothing, and the more patient lets the other try first (§5.2)', () => {
    const nodes = ['n1', 'n2', 'n3', 'n4'];
    const cluster = clusterOf({}, nodes);
    cluster.timeOut('n1');
    cluster.timeOut('n2');
    cluster.deliverRound();
    cluster.deliverRound();
    cluster.deliver('n1', 'n3');
    cluster.deliver('n2', 'n4');
    cluster.deliverAll();
    expect(cluster.leaders).to.deep.equal([]);
    for (let ticks = 0; cluster.leaders.length === 0 && ticks < 40; ticks += 1) {
      cluster.tickAll();
      cluster.deliverAll();
    }
    expect(cluster.leaders).to.deep.equal(['n1']);
  });

  it('patience is between one and two election timeouts, and chance decides (§5.2)', () => {
    const { electionTicks } = clusterOf().timing;
    for (const [dice, patience] of [
      [0, electionTicks],
      [0.5, electionTicks + 5],
      [0.999_999, 2 * electionTicks],
    ] as const) {
      const cluster = new CoreCluster({
        nodes: ['n1', 'n2'],
        make: (beginning, timing) => new Raft(beginning, timing, () => dice),
      });
      cluster.tick('n1', patience - 1);
      expect(cluster.core('n1').state.role).to.equal('follower');
      cluster.tick('n1');
      expect(cluster.core('n1').state.role).to.equal('pre-candidate');
    }
  });

  it('a leader lets everyone know at once (Figure 2, leaders)', () => {
    const cluster = clusterOf();
    cluster.timeOut('n1');
    for (let round = 0; round < 4; round += 1) cluster.deliverRound();
    expect(cluster.leaders).to.deep.equal(['n1']);
    for (const id of ['n2', 'n3']) {
      expect(cluster.queue('n1', id).map(({ type }) => type)).to.include('heartbeat');
    }
  });

  it('a leader begins with an entry that does nothing, and commits with it all before it (§8, §5.4.2)', () => {
    const disk = diskWith([1, 1]);
    const cluster = ledCluster({ n1: disk, n2: disk, n3: disk });
    expect(cluster.terms('n1')).to.deep.equal([1, 1, 2]);
    expect(cluster.core('n1').state.commit).to.equal(3);
    expect(cluster.applied('n1')).to.deep.equal(['1:1', '2:1', null]);
  });

  it('a leader that crashes is replaced, and what it committed is there (§5.4)', () => {
    const cluster = ledCluster();
    cluster.propose('n1', 'a');
    cluster.deliverAll();
    cluster.crash('n1');
    for (let ticks = 0; ticks < 40; ticks += 1) {
      cluster.tickAll();
      cluster.deliverAll();
    }
    expect(cluster.leaders).to.have.length(1);
    const [leader = ''] = cluster.leaders;
    expect(cluster.applied(leader)).to.include('a');
  });

  it('a leader that comes back in its own term does not lead it again (§5.2)', () => {
    const cluster = ledCluster();
    cluster.crash('n1');
    cluster.restart('n1');
    expect(cluster.core('n1').state).to.include({ role: 'follower', term: 1, vote: 'n1' });
  });
});

describe('stage 6: asking first (PreVote, thesis §9.6)', () => {
  it('raises no term, casts no vote and writes nothing', () => {
    const cluster = clusterOf();
    cluster.holdDisk('n2');
    expect(ask(cluster, 'n1', request(1, [0, 0], true))).to.include({ granted: true, term: 1 });
    expect(cluster.core('n2').state).to.include({ term: 0, vote: null });
    expect(cluster.durable('n2').ballot).to.deep.equal({ term: 0, vote: null });
  });

  it('a majority of yes begins the election, less does not', () => {
    const cluster = clusterOf({}, FIVE);
    cluster.timeOut('n1');
    cluster.deliverRound();
    cluster.deliver('n2', 'n1');
    expect(cluster.core('n1').state).to.include({ role: 'pre-candidate', term: 0 });
    cluster.deliver('n3', 'n1');
    expect(cluster.core('n1').state).to.include({ role: 'candidate', term: 1 });
  });

  it('may be answered with yes for several at once', () => {
    const cluster = clusterOf();
    expect(ask(cluster, 'n1', request(1, [0, 0], true))?.granted).to.equal(true);
    expect(ask(cluster, 'n3', request(1, [0, 0], true))?.granted).to.equal(true);
  });

  it('an answer for another term than the one asked for does not count', () => {
    const cluster = clusterOf();
    cluster.timeOut('n1');
    cluster.step('n2', 'n1', { type: 'vote', term: 7, pre: true, granted: true });
    expect(cluster.core('n1').state).to.include({ role: 'pre-candidate', term: 0 });
  });

  it('whoever asks from a past term learns the present one from the answer', () => {
    const cluster = clusterOf({ n2: diskWith([], { term: 6 }), n3: diskWith([], { term: 6 }) });
    cluster.timeOut('n1');
    cluster.deliverAll();
    expect(cluster.core('n1').state).to.include({ term: 6, role: 'follower' });
    cluster.timeOut('n1');
    cluster.deliverAll();
    expect(cluster.core('n1').state).to.include({ term: 7, role: 'leader' });
  });

  it('a longer log in an earlier term and a shorter in a later one find a leader all the same', () => {
    const cluster = clusterOf({ n1: diskWith([1, 1]), n2: diskWith([1], { term: 9 }) }, ['n1', 'n2']);
    for (let ticks = 0; ticks < 80; ticks += 1) {
      cluster.tickAll();
      cluster.deliverAll();
    }
    expect(cluster.leaders).to.deep.equal(['n1']);
  });
});

describe('stage 6: servers that disturb (§6, thesis §4.2.3)', () => {
  for (const pre of [true, false]) {
    it(`whoever hears a leader does not listen to a ${pre ? 'question' : 'candidate'}`, () => {
      const cluster = ledCluster();
      expect(ask(cluster, 'n3', request(9, [99, 9], pre))).to.equal(undefined);
      expect(cluster.core('n2').state).to.include({ term: 1, leader: 'n1' });
    });

    it(`nor does the leader itself to a ${pre ? 'question' : 'candidate'}`, () => {
      const cluster = ledCluster();
      cluster.step('n3', 'n1', request(9, [99, 9], pre));
      expect(cluster.core('n1').state).to.include({ term: 1, role: 'leader' });
    });
  }

  it('unless the leader has asked for that election itself (thesis §3.10)', () => {
    const cluster = ledCluster();
    const wanted: RequestVote = { ...request(2, [1, 1]), transfer: true };
    expect(ask(cluster, 'n3', wanted)?.granted).to.equal(true);
  });

  it('and after an election timeout without a word it listens', () => {
    const cluster = ledCluster();
    cluster.tick('n2', cluster.timing.electionTicks);
    expect(ask(cluster, 'n3', request(2, [1, 1]))?.granted).to.equal(true);
  });

  it('one that is stuck in a later term brings the others there, and is not locked out', () => {
    const cluster = ledCluster();
    cluster.isolate('n3');
    cluster.crash('n3');
    cluster.propose('n1', 'a');
    cluster.deliverAll();
    const later = clusterOf({
      n1: { ...cluster.durable('n1') },
      n2: { ...cluster.durable('n2') },
      n3: { ...cluster.durable('n3'), ballot: { term: 8, vote: 'n3' } },
    });
    for (let ticks = 0; ticks < 80; ticks += 1) {
      later.tickAll();
      later.deliverAll();
    }
    expect(later.leaders).to.have.length(1);
    expect(later.applied('n3')).to.include('a');
  });
});

describe('stage 6: a leader without a majority (CheckQuorum, thesis §6.2)', () => {
  it('gives up its office, so that its clients look for another', () => {
    const cluster = ledCluster();
    cluster.isolate('n1');
    cluster.tick('n1', 2 * cluster.timing.electionTicks);
    expect(cluster.core('n1').state).to.include({ role: 'follower', leader: null, term: 1 });
  });

  it('keeps it as long as a majority answers', () => {
    const cluster = ledCluster({}, FIVE);
    cluster.isolate('n4');
    cluster.isolate('n5');
    for (let tick = 0; tick < 60; tick += 1) {
      cluster.tick('n1');
      cluster.deliverAll();
    }
    expect(cluster.leaders).to.deep.equal(['n1']);
  });

  it('does not take what came from the past for an answer', () => {
    const cluster = ledCluster();
    for (let tick = 0; tick < 2 * cluster.timing.electionTicks; tick += 1) {
      cluster.tick('n1');
      for (const id of ['n2', 'n3']) {
        cluster.drop('n1', id);
        cluster.step(id, 'n1', { type: 'heartbeat-answer', term: 0, round: 1 });
      }
    }
    expect(cluster.leaders).to.deep.equal([]);
  });
});
