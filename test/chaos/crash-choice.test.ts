import { expect } from 'chai';
import { Random } from '../shared/random.ts';
import { drawn, telling } from './crash-choice.ts';

describe('the points to crash at', () => {
  it('are all of them where no long row is of one kind', () => {
    const operations = [
      'write a',
      'sync a',
      'write a',
      'sync a',
      ...Array.from({ length: 8 }, () => 'write b'),
    ];
    expect(telling(operations, new Random(1))).to.deep.equal(operations.map((_, at) => at + 1));
  });

  it('are the ends of a long row of one kind, and some between', () => {
    const operations = ['sync a', ...Array.from({ length: 300 }, () => 'write b'), 'sync b'];
    const points = telling(operations, new Random(1));
    expect(points).to.include.members([1, 2, 3, 300, 301, 302]);
    expect(points.length).to.be.within(7, 30);
    expect(points).to.deep.equal([...new Set(points)].sort((a, b) => a - b));
  });

  it('are as many as are wanted, and the same for the same dice', () => {
    const all = Array.from({ length: 40 }, (_, at) => at + 1);
    const draw = () => drawn(all, new Random(7), 5);
    expect(draw()).to.have.length(5);
    expect(draw()).to.deep.equal(draw());
    expect(drawn(all, new Random(7))).to.deep.equal(all);
  });
});
