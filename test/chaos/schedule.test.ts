import { expect } from 'chai';
import { Random } from '../shared/random.ts';
import { LEADER } from './faults/fault.ts';
import { FAULTS, kindsFor } from './faults.ts';
import { Keys, MOST_OPEN } from './keys.ts';
import { drawSchedule } from './schedule.ts';

const IDS = ['n1', 'n2', 'n3', 'n4', 'n5'];

describe('the schedule of chaos', () => {
  const kinds = kindsFor(6, IDS.length);
  const draw = (seed: number) => drawSchedule({ seed, length: 600_000, ids: IDS, kinds });

  it('is the same for the same seed, and another for another', () => {
    expect(draw(1)).to.deep.equal(draw(1));
    expect(draw(1)).to.not.deep.equal(draw(2));
  });

  it('has every kind of fault once before it has any of them again', () => {
    const drawn = draw(3)
      .flatMap(({ faults }) => faults)
      .map(({ kind }) => kind);
    for (let from = 0; from + kinds.length <= drawn.length; from += kinds.length) {
      expect(new Set(drawn.slice(from, from + kinds.length)).size).to.equal(kinds.length);
    }
    expect(drawn.length).to.be.greaterThan(2 * kinds.length);
  });

  it('cuts off the leader in some partitions, whoever that is by then, and in others chance decides', () => {
    const cuts = draw(5)
      .flatMap(({ faults }) => faults)
      .filter(({ kind }) => kind === 'partition' || kind === 'deaf' || kind === 'mute');
    const withLeader = cuts.filter(({ leaderAs }) => leaderAs !== undefined);
    expect(withLeader.length).to.be.within(1, cuts.length - 1);
    for (const { links = [], leaderAs } of withLeader) expect(links.flat()).to.include(leaderAs);
  });

  it('names only nodes that there are, however many', () => {
    for (let nodes = 1; nodes <= 6; nodes += 1) {
      const ids = IDS.concat('n6').slice(0, nodes);
      for (let seed = 0; seed < 20; seed += 1) {
        const schedule = drawSchedule({ seed, length: 200_000, ids, kinds: kindsFor(8, nodes) });
        const named = schedule.flatMap(({ faults }) =>
          faults.flatMap(({ on = [], links = [], leaderAs = [] }) => [on, links, leaderAs].flat(2)),
        );
        expect([...ids, LEADER]).to.include.members([...new Set(named)]);
      }
    }
  });

  it('makes an odd number of nodes the voters, three at least', () => {
    for (const ids of [IDS.slice(0, 3), IDS.slice(0, 4), IDS]) {
      for (let seed = 0; seed < 100; seed += 1) {
        const { on = [] } = FAULTS['change-members'].draw(new Random(seed), ids);
        expect(new Set(on).size).to.equal(on.length);
        expect(on.length % 2).to.equal(1);
        expect(on.length).to.be.within(3, ids.length);
      }
    }
  });

  it('leaves out what needs a second node where there is none', () => {
    expect(kindsFor(6, 1)).to.include('kill').and.to.not.include('partition');
  });

  it('takes as long as it was told, and little more', () => {
    const last = ({ after, hold }: { after: number; hold: number }) => after + hold;
    const length = draw(4).reduce((sum, { faults, quiet }) => sum + quiet + Math.max(...faults.map(last)), 0);
    expect(length).to.be.within(600_000, 610_000);
  });
});

describe('the keys that clients contend for', () => {
  it('never have more open operations than can be searched, those of unknown outcome included', () => {
    const dice = new Random(1);
    const keys = new Keys(2);
    const open = new Map<string, number>();
    const underWay: { key: string; done: (isKnown: boolean) => void }[] = [];
    for (let step = 0; step < 20_000; step += 1) {
      const place = dice.chance(0.6) ? keys.take(dice) : undefined;
      if (place !== undefined) {
        underWay.push(place);
        open.set(place.key, (open.get(place.key) ?? 0) + 1);
        expect(open.get(place.key)).to.be.at.most(MOST_OPEN);
      } else if (underWay.length > 0) {
        const [{ key, done } = { key: '', done: () => {} }] = underWay.splice(dice.below(underWay.length), 1);
        const isKnown = dice.chance(0.9);
        if (isKnown) open.set(key, (open.get(key) ?? 0) - 1);
        done(isKnown);
      }
    }
    expect(keys.used.length).to.be.greaterThan(20);
    expect(new Set(keys.used).size).to.equal(keys.used.length);
  });
});
