import { expect } from 'chai';
import type { Failure } from '../../src/wire/errors.ts';
import { type Asked, Director, play } from '../simulator/director.ts';

const MIB = 1_048_576;
/** What a leader takes on beyond what is committed. */
const BOUND = 64 * MIB;
const VALUE = 'x'.repeat(500_000);

function errorOf({ outcome }: Asked): Failure | undefined {
  return outcome?.ok === false ? outcome.error : undefined;
}

describe('a leader that cannot commit', () => {
  it('takes on as many bytes as it may hold, answers BUSY to the rest, and goes on when it can commit', function () {
    this.timeout(300_000);
    const director = new Director({ size: 3, segmentBytes: 16 * MIB });
    const violation = play(director, () => {
      const leader = director.node(1);
      director.start();
      director.establish(leader);
      director.elapse(300);
      for (const follower of director.nodes.slice(1)) follower.disk.stalls = () => true;
      const changes: Asked[] = [];
      const isBusy = () => changes.some(change => change.outcome !== undefined);
      while (!isBusy() && changes.length < 200) {
        changes.push(director.set(leader, `/${changes.length}`, VALUE));
        director.elapse(1);
      }
      const taken = changes.filter(({ outcome }) => outcome === undefined);
      expect(taken.length * VALUE.length).to.be.within(BOUND - 2 * VALUE.length, BOUND);
      const refused = director.set(leader, '/more', VALUE);
      const small = director.set(leader, '/small', 'x'.repeat(1_000));
      director.elapse(1);
      expect(errorOf(refused)).to.include({ code: 'BUSY', definite: true, retry: true });
      expect(small.outcome, 'what still finds room is taken on').to.equal(undefined);
      for (const follower of director.nodes.slice(1)) follower.disk.unstall();
      for (const change of [...taken, small]) director.done(change, 'a change that was taken on');
      director.done(director.set(leader, '/more', VALUE), 'a change that found no room before');
      director.recover();
    });
    expect(violation?.message).to.equal(undefined);
  });
});
