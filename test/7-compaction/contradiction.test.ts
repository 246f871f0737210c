import { expect } from 'chai';
import { Contradiction } from '../../src/raft/contradiction.ts';
import { State } from '../../src/raft/state.ts';
import { Snapshots } from '../../stages/7-compaction/snapshots.ts';
import { diskWith, membersOf } from '../shared/model-disk.ts';

describe('stage 7: the snapshot of a leader', () => {
  it('that ends with another entry than is committed here stops this node (§5.4)', () => {
    const configuration = membersOf(['n1', 'n2', 'n3']);
    const disk = diskWith([1, 1, 1], { term: 2, commit: 3 });
    const state = new State({ id: 'n1', configuration, base: { index: 0, term: 0 }, ...disk });
    const receive = (lastTerm: number) =>
      new Snapshots(state).onInstall('n2', {
        ...{ type: 'install', term: 2, lastIndex: 2, lastTerm, offset: 0, piece: [], bytes: 0, hash: '' },
      });
    expect(() => receive(2)).to.throw(Contradiction, /n2, has another entry 2, of term 2/);
    receive(1);
    expect(state.take().answers[0]?.message).to.include({ type: 'appended', match: 3 });
  });
});
