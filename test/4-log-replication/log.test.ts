import { expect } from 'chai';
import type { Entry } from '../../src/raft/entry.ts';
import { Log } from '../../src/raft/log.ts';
import { Quorum } from '../../src/raft/quorum.ts';
import { diskWith } from '../shared/model-disk.ts';

function entry(index: number, term: number, size = 10): Entry {
  return { index, term, command: `${index}:${term}`, size };
}

describe('stage 4: the log', () => {
  const terms = [1, 1, 1, 2, 4, 4, 7, 7, 7];

  it('knows the term of every entry from its runs of terms, and of none outside', () => {
    const log = new Log({ index: 0, term: 0 }, diskWith(terms).entries);
    expect(terms.map((_, at) => log.termAt(at + 1))).to.deep.equal(terms);
    expect([log.termAt(0), log.termAt(-1), log.termAt(10)]).to.deep.equal([0, undefined, undefined]);
  });

  it('knows terms after a base as well, and nothing before it', () => {
    const log = new Log({ index: 5, term: 3 }, [entry(6, 3), entry(7, 4)]);
    expect([4, 5, 6, 7, 8].map(index => log.termAt(index))).to.deep.equal([undefined, 3, 3, 4, undefined]);
    expect(() => log.truncate(5)).to.throw('broken invariant');
    log.truncate(6);
    expect(log.last).to.deep.equal({ index: 5, term: 3 });
  });

  for (let at = 1; at <= terms.length; at += 1) {
    it(`is after a truncation at ${at} what it was before those entries came`, () => {
      const { entries } = diskWith(terms);
      const log = new Log({ index: 0, term: 0 }, entries);
      log.truncate(at);
      const fresh = new Log({ index: 0, term: 0 }, entries.slice(0, at - 1));
      expect(log.last).to.include({ index: fresh.last.index, term: fresh.last.term });
      expect(log.cachedBytes).to.equal(fresh.cachedBytes);
      log.append([entry(at, 8)]);
      expect(log.termAt(at)).to.equal(8);
      expect(log.termAt(at - 1)).to.equal(terms[at - 2] ?? 0);
    });
  }

  it('finds the last entry within an index and a term as one who looks at every entry does', () => {
    const log = new Log({ index: 0, term: 0 }, diskWith(terms).entries);
    for (let index = 0; index <= 12; index += 1) {
      for (let term = 0; term <= 8; term += 1) {
        const slow = terms.findLastIndex((own, at) => at < index && own <= term) + 1;
        expect(log.lastWithin(index, term), `${index} ${term}`).to.equal(slow);
      }
    }
  });

  it('gives out a batch of entries that is within its bytes, but one entry at least', () => {
    const log = new Log({ index: 0, term: 0 }, diskWith(terms, { size: 10 }).entries);
    const indexes = (from: number, to: number, bytes: number) =>
      log.cached(from, to, bytes).map(({ index }) => index);
    expect(indexes(2, 9, 35)).to.deep.equal([2, 3, 4]);
    expect(indexes(2, 9, 1)).to.deep.equal([2]);
    expect(indexes(8, 9, 1_000)).to.deep.equal([8, 9]);
    expect(indexes(2, 3, 1_000)).to.deep.equal([2, 3]);
    expect(indexes(4, 3, 1_000)).to.deep.equal([]);
    expect(indexes(10, 12, 1_000)).to.deep.equal([]);
  });

  it('forgets old entries when there are too many bytes of them, and none that are not handed out', () => {
    const log = new Log({ index: 0, term: 0 }, diskWith(terms, { size: 10 }).entries);
    log.shrink(4, 20);
    expect(log.firstCached).to.equal(5);
    expect(log.cached(4, 9, 100)).to.deep.equal([]);
    expect(log.termAt(2)).to.equal(1);
    log.shrink(9, 30);
    expect(log.firstCached).to.equal(7);
    expect(log.cachedBytes).to.equal(30);
    log.truncate(3);
    expect(log.firstCached).to.equal(3);
    log.append([entry(3, 8)]);
    expect(log.cached(3, 3, 100).map(({ term }) => term)).to.deep.equal([8]);
  });

  it('forgets what nobody will ask for, where it is much, and no less than what stays', () => {
    const log = new Log({ index: 0, term: 0 }, diskWith(terms, { size: 100_000 }).entries);
    log.forget(3);
    expect(log.firstCached).to.equal(1);
    log.forget(5);
    expect(log.firstCached).to.equal(6);
    expect(log.cachedBytes).to.equal(400_000);
    log.forget(7);
    expect(log.firstCached).to.equal(8);
    log.forget(99);
    expect(log.firstCached).to.equal(8);
    expect(log.last.index).to.equal(9);
  });
});

describe('stage 4: a quorum', () => {
  const ids = ['n1', 'n2', 'n3', 'n4', 'n5'];

  it('is more than half, whatever the number', () => {
    for (let voters = 1; voters <= 5; voters += 1) {
      const quorum = new Quorum(ids.slice(0, voters));
      for (let yes = 0; yes <= voters; yes += 1) {
        const agreed = ids.slice(0, yes);
        expect(
          quorum.agrees(id => agreed.includes(id)),
          `${yes} of ${voters}`,
        ).to.equal(yes * 2 > voters);
      }
    }
  });

  it('has reached what more than half have reached', () => {
    const numbers: Readonly<Record<string, number>> = { n1: 9, n2: 3, n3: 7, n4: 5, n5: 1 };
    const reached = [1, 2, 3, 4, 5].map(count =>
      new Quorum(ids.slice(0, count)).reached(id => numbers[id] ?? 0),
    );
    expect(reached).to.deep.equal([9, 3, 7, 5, 5]);
  });

  it('is lost once those who have not refused are half or less', () => {
    const quorum = new Quorum(['n1', 'n2', 'n3', 'n4']);
    expect(quorum.isLost(id => id === 'n1')).to.equal(false);
    expect(quorum.isLost(id => id === 'n1' || id === 'n2')).to.equal(true);
  });

  it('of nobody decides nothing', () => {
    expect(new Quorum([]).agrees(() => true)).to.equal(false);
    expect(new Quorum([]).reached(() => 5)).to.equal(0);
  });

  it('needs both majorities while the configuration is joint (§6)', () => {
    const quorum = new Quorum(['n1', 'n2', 'n3'], ['n3', 'n4', 'n5']);
    expect(quorum.agrees(id => ['n1', 'n2', 'n4'].includes(id))).to.equal(false);
    expect(quorum.agrees(id => ['n1', 'n3', 'n4'].includes(id))).to.equal(true);
    expect(quorum.reached(id => ({ n1: 8, n2: 8, n3: 2, n4: 4, n5: 1 })[id] ?? 0)).to.equal(2);
    expect(quorum.voters).to.deep.equal(ids);
  });
});
