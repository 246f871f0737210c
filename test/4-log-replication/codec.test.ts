import { expect } from 'chai';
import { raftCodec } from '../../src/node/raft-codec.ts';
import { encodeRecord } from '../../src/node/record.ts';

const APPEND = { type: 'append', term: 1, prevIndex: 0, prevTerm: 0, commit: 0 };
const INSTALL = { type: 'install', term: 1, lastIndex: 1, lastTerm: 1, offset: 0, bytes: 9, hash: 'x' };

describe('the codec of the messages between nodes', () => {
  it('takes entries and pieces from the lines alone, whose sums it has checked, whatever a header says', () => {
    const unchecked = [{ index: 1, term: 1, command: null, size: 1, line: 'no record' }];
    for (const entries of [unchecked, null, 5]) {
      const header = { ...APPEND, entries, stored: { from: 1, to: 1 }, more: 1 };
      expect(raftCodec.decode(header, [])).to.deep.equal({ ...APPEND, entries: [] });
    }
    expect(raftCodec.decode({ ...INSTALL, piece: 5 }, ['a'])).to.deep.equal({ ...INSTALL, piece: ['a'] });
  });

  it('refuses a line that is no sound record of the entry that is due', () => {
    const sound = encodeRecord([1, 1, { op: 'no-op' }]);
    expect(raftCodec.decode(APPEND, [sound])).to.have.nested.property('entries[0].index', 1);
    for (const line of [sound.replace('no-op', 'no-oq'), encodeRecord([2, 1, null]), '', '{}'])
      expect(() => raftCodec.decode(APPEND, [line]), line).to.throw('damaged or out of place');
  });
});
