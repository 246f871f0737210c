import { expect } from 'chai';
import type { Call } from '../../client/call.ts';
import { InFlight } from '../../client/in-flight.ts';
import { withSeed } from '../shared/random.ts';

/** Something to find again; nothing here asks a call for anything. */
function callOf(id: number): Call {
  return { id } as Call;
}

describe('the calls in flight', () => {
  it('are what a map would hold, whatever comes and goes', () =>
    withSeed(random => {
      const calls = new InFlight();
      const model = new Map<number, Call>();
      const set = (id: number) => {
        const call = callOf(id);
        calls.set(id, call);
        model.set(id, call);
      };
      let next = 1;
      let own = -1;
      for (let step = 0; step < 100_000; step += 1) {
        // Other connections take ids too, now and then very many.
        if (random.chance(0.01)) next += random.below(100);
        if (random.chance(0.0002)) next += 40_000;
        // It fills and empties by turns, and some never get a reply.
        if (random.chance(step % 20_000 < 10_000 ? 0.55 : 0.4)) set(random.chance(0.01) ? own-- : next++);
        else {
          const [oldest = 0] = model.keys();
          const id = random.chance(0.8) ? oldest : next - random.below(2_000);
          expect(calls.get(id)).to.equal(model.get(id));
          if (random.chance(0.98)) {
            calls.delete(id);
            model.delete(id);
          }
        }
        expect(calls.size).to.equal(model.size);
        if (step % 1_000 === 0) expect(new Map(calls)).to.deep.equal(model);
      }
      expect([...calls.values()].map(({ id }) => id)).to.have.members([...model.keys()]);
      calls.clear();
      expect([...calls]).to.deep.equal([]);
      set(next);
      expect(calls.get(next)).to.equal(model.get(next));
    }));

  it('may be deleted and joined while somebody goes through them', () => {
    const calls = new InFlight();
    for (let id = 5; id < 10; id += 1) calls.set(id, callOf(id));
    const seen: number[] = [];
    for (const [id] of calls) {
      seen.push(id);
      calls.delete(id);
      calls.delete(7);
      if (id === 6) calls.set(100_000, callOf(100_000));
    }
    expect(seen).to.include.members([5, 6, 8, 9]).and.not.include(7);
    expect([...calls.values()].map(({ id }) => id)).to.deep.equal(seen.includes(100_000) ? [] : [100_000]);
  });

  it('take no room for the ids between them', () => {
    const calls = new InFlight();
    for (const id of [1, 1_000_000_000_000, 2_000_000_000_000]) calls.set(id, callOf(id));
    expect([...calls].map(([id]) => id)).to.have.members([1, 1_000_000_000_000, 2_000_000_000_000]);
    expect(calls.get(1_000_000_000_000)?.id).to.equal(1_000_000_000_000);
  });
});
