import { expect } from 'chai';
import { Contradiction } from '../../src/raft/contradiction.ts';
import type { Append, Message } from '../../src/raft/messages.ts';
import { State } from '../../src/raft/state.ts';
import { Raft } from '../../stages/4-log-replication/raft.ts';
import { Replication } from '../../stages/4-log-replication/replication.ts';
import { CoreCluster } from '../shared/core-cluster.ts';
import { entriesOf } from '../shared/core-invariants.ts';
import { type DiskDetails, diskWith, membersOf } from '../shared/model-disk.ts';

const NODES = ['n1', 'n2', 'n3'];
const BASE = { index: 0, term: 0 };

/** One node with its log, and nothing of Raft but replication. */
class Server {
  readonly state: State;
  readonly replication: Replication;

  constructor(terms: readonly number[], details: DiskDetails & { readonly nodes?: readonly string[] } = {}) {
    const configuration = membersOf(details.nodes ?? NODES);
    this.state = new State({ id: 'n1', configuration, base: BASE, ...diskWith(terms, details) });
    this.replication = new Replication(this.state, { isLeaderGiven: false });
  }

  lead(): this {
    this.state.role = 'leader';
    this.replication.lead();
    return this;
  }

  get terms(): readonly number[] {
    return entriesOf(this.state).map(({ term }) => term);
  }

  /** Receives entries of these terms after the place named; returns the answer. */
  receive(prevIndex: number, prevTerm: number, terms: readonly number[], commit = 0): Message | undefined {
    const entries = terms.map((term, at) => {
      const index = prevIndex + 1 + at;
      return { index, term, command: `${index}:${term}`, size: 64 };
    });
    const { term } = this.state;
    this.replication.onAppend('n2', { type: 'append', term, prevIndex, prevTerm, entries, commit });
    return this.answer();
  }

  answer(): Message | undefined {
    const { mark, answers } = this.state.take();
    this.state.stored(mark);
    return answers[0]?.message;
  }

  /** What a turn sends to a node. */
  sent(to: string): readonly Append[] {
    this.replication.broadcast();
    return this.state
      .take()
      .messages.flatMap(envelope =>
        envelope.to === to && envelope.message.type === 'append' ? [envelope.message] : [],
      );
  }

  acknowledge(from: string, match: number): void {
    this.replication.onAppended(from, { type: 'appended', term: this.state.term, match });
  }

  propose(count = 1): void {
    this.replication.propose(Array.from({ length: count }, () => ({ command: 'x', size: 64 })));
  }

  /** Makes all of its own log durable. */
  sync(): void {
    this.state.stored(this.state.take().mark);
    if (this.state.role === 'leader') this.replication.advance();
  }
}

describe('stage 4: the rules of the paper for those who receive entries', () => {
  it('without an entry at the place before, nothing is accepted (Figure 2, AppendEntries 2)', () => {
    const server = new Server([1, 1]);
    expect(server.receive(3, 1, [1])).to.include({ type: 'append-refused', prevIndex: 3 });
    expect(server.terms).to.deep.equal([1, 1]);
  });

  it('with an entry of another term at the place before, nothing is accepted (Figure 2, AppendEntries 2)', () => {
    const server = new Server([1, 1, 2]);
    expect(server.receive(3, 3, [3])).to.include({ type: 'append-refused', prevIndex: 3 });
    expect(server.terms).to.deep.equal([1, 1, 2]);
  });

  it('the first entry of all follows the empty log, which everyone has (§5.3)', () => {
    const server = new Server([], { term: 1 });
    expect(server.receive(0, 0, [1])).to.include({ type: 'appended', match: 1 });
  });

  it('an entry that conflicts goes, and all that follow it (Figure 2, AppendEntries 3)', () => {
    const server = new Server([1, 2, 2, 2], { term: 3 });
    expect(server.receive(1, 1, [3])).to.include({ type: 'appended', match: 2 });
    expect(server.terms).to.deep.equal([1, 3]);
  });

  it('a leader that has another entry where one is committed here stops this node, and changes nothing (§5.4)', () => {
    const server = new Server([1, 2, 2, 2], { term: 4, commit: 3 });
    expect(() => server.receive(1, 1, [4])).to.throw(
      Contradiction,
      /n1 stops, and keeps its data: .* up to entry 3, .* n2, has another entry 2, of term 4/,
    );
    expect(() => server.receive(3, 3, [4])).to.throw(Contradiction, /another entry 3, of term 3/);
    expect(server.terms).to.deep.equal([1, 2, 2, 2]);
    expect(server.receive(3, 2, [4])).to.include({ type: 'appended', match: 4 });
  });

  it('so does one whose terms are later than those of what is compacted here', () => {
    const server = new Server([1, 2, 2, 3], { term: 4, commit: 4 });
    server.state.take();
    server.state.compact({ index: 4, term: 3 }, 4);
    expect(server.receive(1, 1, [2, 2])).to.include({ type: 'appended', match: 4 });
    expect(() => server.receive(1, 1, [4])).to.throw(Contradiction, /another entry 2, of term 4/);
  });

  it('entries that are not there yet are appended (Figure 2, AppendEntries 4)', () => {
    const server = new Server([1], { term: 2 });
    expect(server.receive(1, 1, [1, 2, 2])).to.include({ type: 'appended', match: 4 });
    expect(server.terms).to.deep.equal([1, 1, 2, 2]);
  });

  it('an old message whose entries are all there removes none of those behind them (Figure 2, AppendEntries 3)', () => {
    const server = new Server([1, 1, 1, 1]);
    expect(server.receive(0, 0, [1, 1])).to.include({ type: 'appended', match: 2 });
    expect(server.terms).to.deep.equal([1, 1, 1, 1]);
    expect(server.receive(1, 1, [])).to.include({ type: 'appended', match: 1 });
    expect(server.terms).to.deep.equal([1, 1, 1, 1]);
  });

  it('the commit index follows the leader’s (Figure 2, AppendEntries 5)', () => {
    const server = new Server([1, 1, 1]);
    server.receive(3, 1, [1], 2);
    expect(server.state.commit).to.equal(2);
  });

  it('the commit index goes no further than the entries that this message has checked (Figure 2, AppendEntries 5)', () => {
    const server = new Server([1, 2, 2], { term: 3 });
    server.receive(1, 1, [], 3);
    expect(server.state.commit).to.equal(1);
  });

  it('an answer that accepts entries waits until they are durable (Figure 2, “updated on stable storage before responding”)', () => {
    const server = new Server([1]);
    const entry = { index: 2, term: 1, command: 'x', size: 64 };
    const append = {
      type: 'append',
      term: 1,
      prevIndex: 1,
      prevTerm: 1,
      entries: [entry],
      commit: 0,
    } as const;
    server.replication.onAppend('n2', append);
    const { messages, answers, entries } = server.state.take();
    expect(messages).to.deep.equal([]);
    expect(entries).to.have.length(1);
    expect(answers).to.have.length(1);
  });

  it('a refusal names the place where the search should go on, a whole term back (§5.3)', () => {
    const server = new Server([1, 1, 2, 2, 2, 3, 3], { term: 4 });
    expect(server.receive(7, 2, [4])).to.include({ hint: 5, hintTerm: 2 });
    expect(server.receive(20, 4, [4])).to.include({ hint: 7, hintTerm: 3 });
  });
});

describe('stage 4: the rules of the paper for the leader', () => {
  it('at first it expects every log to be as long as its own (Figure 2, nextIndex)', () => {
    const server = new Server([1, 1, 1]).lead();
    expect(server.sent('n2')[0]).to.include({ prevIndex: 3, prevTerm: 1 });
  });

  it('at first it knows of no entry on any other node (Figure 2, matchIndex)', () => {
    const server = new Server([1, 1, 1]).lead();
    expect([...server.state.progress.values()].map(({ match }) => match)).to.deep.equal([0, 0]);
  });

  it('forgets all that it knew of the others when it leads anew (Figure 2, “reinitialized after election”)', () => {
    const server = new Server([1, 1, 1]).lead();
    server.acknowledge('n2', 2);
    server.lead();
    expect(server.state.progress.get('n2')?.match).to.equal(0);
  });

  it('does not believe a node that acknowledges what is not in its own log', () => {
    const server = new Server([1, 1, 1]).lead();
    server.acknowledge('n2', 4);
    server.acknowledge('n3', 1_000_000);
    expect([...server.state.progress.values()].map(({ match }) => match)).to.deep.equal([0, 0]);
  });

  it('what it is asked to do becomes an entry of its term at the end of its log (Figure 2, leaders)', () => {
    const server = new Server([1, 1], { term: 4 }).lead();
    server.propose(2);
    expect(server.terms).to.deep.equal([1, 1, 4, 4]);
  });

  it('sends each node the entries that it lacks, and names the one before (Figure 2, leaders)', () => {
    const server = new Server([1, 2], { term: 3 }).lead();
    server.acknowledge('n2', 1);
    server.propose();
    const [append] = server.sent('n3');
    expect(append).to.include({ prevIndex: 2, prevTerm: 2, term: 3 });
    expect(append?.entries.map(({ index }) => index)).to.deep.equal([3]);
  });

  it('learns from an answer how far a log agrees, and never unlearns it from an older one (Figure 2, matchIndex)', () => {
    const server = new Server([1, 1, 1]).lead();
    server.acknowledge('n2', 3);
    server.acknowledge('n2', 1);
    expect(server.state.progress.get('n2')?.match).to.equal(3);
  });

  it('after a refusal it goes back and tries again (Figure 2, leaders)', () => {
    const server = new Server([1, 1, 2, 2, 3], { term: 3 }).lead();
    server.sent('n2');
    const refusal = { type: 'append-refused', term: 3, prevIndex: 5, hint: 2, hintTerm: 1 } as const;
    server.replication.onRefused('n2', refusal);
    const [append] = server.sent('n2');
    expect(append).to.include({ prevIndex: 2, prevTerm: 1 });
    expect(append?.entries.map(({ index }) => index)).to.deep.equal([3, 4, 5]);
  });

  it('lets an old refusal change nothing', () => {
    const server = new Server([1, 1, 1]).lead();
    server.sent('n2');
    server.acknowledge('n2', 3);
    const refusal = { type: 'append-refused', term: 1, prevIndex: 2, hint: 0, hintTerm: 0 } as const;
    server.replication.onRefused('n2', refusal);
    expect(server.state.progress.get('n2')).to.include({ next: 4, match: 3, mode: 'stream' });
  });

  it('sends one message at a time until it knows where the logs agree, then without waiting (thesis §10.2.2)', () => {
    const server = new Server([1]).lead();
    expect(server.sent('n2')).to.have.length(1);
    server.propose();
    expect(server.sent('n2')).to.have.length(0);
    server.acknowledge('n2', 1);
    expect(server.sent('n2')).to.have.length(1);
    server.propose();
    expect(server.sent('n2')).to.have.length(1);
  });

  it('sends beside its own disk write what it proposes (thesis §10.2.1)', () => {
    const server = new Server([1]).lead();
    server.propose();
    server.replication.broadcast();
    const { messages, answers, entries } = server.state.take();
    expect(messages).to.have.length(2);
    expect(answers).to.have.length(0);
    expect(entries).to.have.length(1);
  });

  it('an entry of its term is committed once a majority holds it (Figure 2, leaders; §5.3)', () => {
    const server = new Server([1], { nodes: ['n1', 'n2', 'n3', 'n4', 'n5'], commit: 1 }).lead();
    server.propose();
    server.sync();
    server.acknowledge('n2', 2);
    expect(server.state.commit).to.equal(1);
    server.acknowledge('n3', 2);
    expect(server.state.commit).to.equal(2);
  });

  it('counts itself only with what is durable here', () => {
    const server = new Server([1], { commit: 1 }).lead();
    server.propose();
    server.acknowledge('n2', 2);
    expect(server.state.commit).to.equal(1);
    server.sync();
    expect(server.state.commit).to.equal(2);
  });

  it('needs not itself to commit what a majority of the others holds (thesis §10.2.1)', () => {
    const server = new Server([1], { commit: 1 }).lead();
    server.propose();
    server.acknowledge('n2', 2);
    server.acknowledge('n3', 2);
    expect(server.state.commit).to.equal(2);
  });

  it('commits no entry of an earlier term by counting (§5.4.2)', () => {
    const server = new Server([1, 2, 2], { term: 4, commit: 1 }).lead();
    server.acknowledge('n2', 3);
    server.acknowledge('n3', 3);
    expect(server.state.commit).to.equal(1);
  });

  it('commits with an entry of its own term all before it (§5.4.2)', () => {
    const server = new Server([1, 2, 2], { term: 4, commit: 1 }).lead();
    server.propose();
    server.sync();
    server.acknowledge('n2', 4);
    expect(server.state.commit).to.equal(4);
    expect(server.state.take().committed.map(({ index }) => index)).to.deep.equal([2, 3, 4]);
  });

  it('tells the others of a commit with the next message (§5.3)', () => {
    const server = new Server([1]).lead();
    for (const node of ['n2', 'n3']) server.acknowledge(node, 1);
    server.propose();
    server.sync();
    server.sent('n2');
    server.acknowledge('n2', 2);
    expect(server.sent('n2')[0]).to.include({ commit: 2 });
  });
});

describe('stage 4: the rules of the paper for a whole cluster', () => {
  const make = (disks = {}) =>
    new CoreCluster({ nodes: NODES, disks, make: beginning => new Raft(beginning, 'n1') });

  it('an entry is applied once it is committed, on every node, in the order of the log (Figure 2, all servers)', () => {
    const cluster = make();
    cluster.propose('n1', 'a');
    cluster.propose('n1', 'b', 'c');
    expect(cluster.applied('n1')).to.deep.equal([]);
    cluster.deliverAll();
    for (const id of NODES) expect(cluster.applied(id), id).to.deep.equal(['a', 'b', 'c']);
  });

  it('term, vote, log and commit index outlive a crash (Figure 2, persistent state)', () => {
    const cluster = make();
    cluster.propose('n1', 'a', 'b');
    cluster.deliverAll();
    const before = cluster.durable('n2');
    cluster.crash('n2');
    cluster.restart('n2');
    const { term, vote } = cluster.core('n2').state;
    expect({ term, vote }).to.deep.equal(before.ballot);
    expect(cluster.entries('n2')).to.deep.equal(before.entries);
    expect(cluster.applied('n2')).to.deep.equal(['a', 'b']);
  });

  it('entries are not lost with a minority: slow and crashed nodes hold nobody up (§2, §5.3)', () => {
    const cluster = make();
    cluster.crash('n3');
    cluster.propose('n1', 'a');
    cluster.deliverAll();
    expect(cluster.applied('n1')).to.deep.equal(['a']);
  });

  it('without a majority nothing is committed (§5.3)', () => {
    const cluster = make();
    cluster.crash('n2');
    cluster.crash('n3');
    cluster.propose('n1', 'a');
    cluster.deliverAll();
    expect(cluster.applied('n1')).to.deep.equal([]);
  });

  it('the leader tries for ever until every node has everything (§5.3)', () => {
    const cluster = make();
    cluster.crash('n3');
    cluster.propose('n1', 'a', 'b', 'c');
    cluster.deliverAll();
    cluster.restart('n3');
    cluster.deliverAll();
    expect(cluster.applied('n3')).to.deep.equal(['a', 'b', 'c']);
  });

  it('a message that comes twice does what it does once (§5.5)', () => {
    const cluster = make();
    cluster.propose('n1', 'a');
    cluster.duplicate('n1', 'n2');
    cluster.deliverRound();
    cluster.duplicate('n2', 'n1');
    cluster.deliverAll();
    expect(cluster.entries('n2')).to.have.length(1);
    expect(cluster.applied('n1')).to.deep.equal(['a']);
  });

  it('messages that come in any order lead to the same log (§5.3)', () => {
    const cluster = make();
    cluster.deliverAll();
    for (const command of ['a', 'b', 'c', 'd']) cluster.propose('n1', command);
    cluster.reverse('n1', 'n2');
    cluster.deliverAll();
    expect(cluster.applied('n2')).to.deep.equal(['a', 'b', 'c', 'd']);
  });
});
