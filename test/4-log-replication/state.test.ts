import { expect } from 'chai';
import { type Beginning, State } from '../../src/raft/state.ts';
import { Raft } from '../../stages/4-log-replication/raft.ts';
import { entriesOf } from '../shared/core-invariants.ts';
import { diskWith, membersOf } from '../shared/model-disk.ts';

function beginning(changes: Partial<Beginning> = {}): Beginning {
  return {
    id: 'n2',
    configuration: membersOf(['n1', 'n2', 'n3']),
    ballot: { term: 3, vote: 'n1' },
    base: { index: 0, term: 0 },
    entries: diskWith([1, 2, 3]).entries,
    commit: 2,
    ...changes,
  };
}

describe('stage 4: what no chapter may break', () => {
  it('terms never fall', () => {
    expect(() => new State(beginning()).cast(2, null)).to.throw('broken invariant');
  });

  it('a vote is given once a term', () => {
    const state = new State(beginning());
    state.cast(3, 'n1');
    expect(() => state.cast(3, 'n3')).to.throw('broken invariant');
    expect(() => state.cast(3, null)).to.throw('broken invariant');
    state.cast(4, 'n3');
    expect(state.vote).to.equal('n3');
  });

  it('what is committed is never truncated', () => {
    expect(() => new State(beginning()).truncate(2)).to.throw('broken invariant');
  });

  it('a leader removes nothing from its own log', () => {
    const state = new State(beginning());
    state.role = 'leader';
    expect(() => state.truncate(3)).to.throw('broken invariant');
  });

  it('only a leader appends what it is asked to', () => {
    const follower = new Raft(beginning({ ballot: { term: 1, vote: 'n1' }, entries: [], commit: 0 }), 'n1');
    expect(() => follower.propose([{ command: 'x', size: 64 }])).to.throw('broken invariant');
    expect(entriesOf(follower.state)).to.deep.equal([]);
  });

  it('nothing is committed that the log does not hold, at the start or later', () => {
    expect(() => new State(beginning()).commitTo(4)).to.throw('broken invariant');
    expect(() => new State(beginning({ commit: 4 }))).to.throw('broken invariant');
  });

  it('a commit index that is lower than known is old news', () => {
    const state = new State(beginning());
    state.commitTo(1);
    expect(state.commit).to.equal(2);
  });

  it('a piece of a snapshot alone is reason enough for a turn', () => {
    const state = new State(beginning());
    state.take();
    expect(state.isReady).to.equal(false);
    const piece = { lastIndex: 9, lastTerm: 3, offset: 0, piece: [], bytes: 0, hash: '' };
    state.receive({ type: 'install', term: 3, ...piece });
    expect(state.isReady).to.equal(true);
    expect(state.take().pieces).to.have.length(1);
    expect(state.isReady).to.equal(false);
  });

  it('whoever it has to do with may be called anything', () => {
    const configuration = membersOf(['n2', '__proto__', 'constructor']);
    const { contacts } = new State(beginning({ configuration }));
    expect(Object.keys(contacts)).to.deep.equal(['__proto__', 'constructor']);
  });

  it('a log holds no term that its node has not entered', () => {
    expect(() => new State(beginning({ ballot: { term: 2, vote: null } }))).to.throw('broken invariant');
  });

  it('entries follow each other without a gap, and their terms never fall', () => {
    const state = new State(beginning());
    expect(() => state.append([{ index: 5, term: 3, command: 'x', size: 64 }])).to.throw('broken invariant');
    expect(() => state.append([{ index: 4, term: 2, command: 'x', size: 64 }])).to.throw('broken invariant');
  });

  it('hands out every committed entry once, in order, first of all those that were committed at the start', () => {
    const state = new State(beginning());
    expect(state.take().committed.map(({ index }) => index)).to.deep.equal([1, 2]);
    state.commitTo(3);
    expect(state.take().committed.map(({ index }) => index)).to.deep.equal([3]);
    expect(state.take().committed).to.deep.equal([]);
  });

  it('counts a replaced entry as durable only when its replacement is', () => {
    const state = new State(beginning({ ballot: { term: 4, vote: null } }));
    state.append([{ index: 4, term: 3, command: 'old', size: 64 }]);
    const { mark: old } = state.take();
    state.truncate(4);
    state.append([{ index: 4, term: 4, command: 'new', size: 64 }]);
    const { mark, entries } = state.take();
    expect(entries.map(({ command }) => command)).to.deep.equal(['new']);
    state.stored(old);
    expect(state.durable).to.equal(3);
    state.stored(mark);
    expect(state.durable).to.equal(4);
  });

  it('writes of a turn only what it still holds at its end', () => {
    const state = new State(beginning({ ballot: { term: 4, vote: null } }));
    state.append([{ index: 4, term: 3, command: 'old', size: 64 }]);
    state.truncate(3);
    state.append([{ index: 3, term: 4, command: 'new', size: 64 }]);
    expect(state.take().entries.map(({ command }) => command)).to.deep.equal(['new']);
  });

  it('the latest configuration in the log counts from the moment it is there, and goes with its entry (§6)', () => {
    const state = new State(beginning({ configuration: membersOf(['n1', 'n2']) }));
    const configure = (index: number, ids: readonly string[]) => ({
      index,
      term: 3,
      command: membersOf(ids),
      size: 64,
    });
    state.append([configure(4, ['n1', 'n2', 'n3']), configure(5, ['n2', 'n3', 'n4', 'n5'])]);
    expect(state.configurationIndex).to.equal(5);
    expect(state.quorum.voters).to.deep.equal(['n2', 'n3', 'n4', 'n5']);
    expect(state.peers).to.deep.equal(['n3', 'n4', 'n5']);
    state.truncate(5);
    expect(state.quorum.voters).to.deep.equal(['n1', 'n2', 'n3']);
    state.truncate(4);
    expect(state.configurationIndex).to.equal(0);
    expect(state.peers).to.deep.equal(['n1']);
  });
});
