import { expect } from 'chai';
import { IndexedQueue } from '../../src/node/indexed-queue.ts';
import { withSeed } from '../shared/random.ts';

describe('a queue with numbers', () => {
  it('does what a map would do, whatever comes and goes', () =>
    withSeed(random => {
      const queue = new IndexedQueue<string>();
      const model = new Map<number, string>();
      let next = 1;
      for (let step = 0; step < 20_000; step += 1) {
        // Mostly one after the other; now and then the numbers go back behind what is there, or jump ahead.
        if (random.chance(0.001)) next = Math.max(1, next - random.below(50));
        if (random.chance(0.001)) next += random.below(50);
        if (random.chance(0.5)) {
          queue.set(next, `item ${step}`);
          model.set(next, `item ${step}`);
          next += 1;
        } else {
          const oldest = Math.min(...model.keys());
          const index = random.chance(0.9) && model.size > 0 ? oldest : next - random.below(40);
          expect(queue.get(index)).to.equal(model.get(index));
          queue.delete(index);
          model.delete(index);
        }
        if (step % 100 === 0) expect([...queue]).to.deep.equal([...model].sort(([a], [b]) => a - b));
      }
    }));

  it('can be emptied while it is gone through', () => {
    const queue = new IndexedQueue<string>();
    for (let index = 5; index < 10; index += 1) queue.set(index, `item ${index}`);
    const seen: number[] = [];
    for (const [index] of queue) {
      seen.push(index);
      queue.delete(index);
      queue.delete(7);
    }
    expect(seen).to.deep.equal([5, 6, 8, 9]);
    expect([...queue]).to.deep.equal([]);
  });
});
