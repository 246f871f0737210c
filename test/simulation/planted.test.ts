import { expect } from 'chai';
import { planted, plantedFile, tryPlants } from '../simulator/planting.ts';
import { PLANTS } from '../simulator/plants.ts';

/** Those that a scenario or the very first seeds catch; `npm run sim -- --planted` tries them all. */
const QUICK = [
  'a vote is told before it is durable',
  'a vote is forgotten at a restart',
  'entries of earlier terms are committed by counting',
  'a leader begins without a no-op',
  'entries are acknowledged before they are durable',
  'a leader counts its own entries before they are durable',
  'entries that conflict are not truncated',
  'the commit index goes back',
  'a read is answered without a majority',
  'a sync covers what was written while it ran',
  'a new segment is not entered in its directory durably',
  'an unknown outcome is called definite',
];

describe('a mistake planted in the production code', () => {
  const plants = PLANTS.filter(({ name }) => QUICK.includes(name));
  const caught = new Map<string, string>();

  before(async function () {
    this.timeout(300_000);
    expect(plants).to.have.length(QUICK.length);
    await tryPlants(plants, 10, ({ plant, finding }) => {
      if (finding !== undefined) caught.set(plant.name, finding.property);
    });
  });

  for (const { name } of plants) {
    it(`is caught: ${name}`, () => {
      expect(caught.get(name)).to.be.a('string');
    });
  }

  it('has its place in the code as it is', () => {
    for (const plant of PLANTS) expect(plantedFile(plant)).to.be.a('string');
  });

  it('has exactly one place, or it is an error', () => {
    const plant = { name: 'a', file: 'a.js', find: 'x', replace: 'y' };
    expect(planted('a x b', plant)).to.equal('a y b');
    expect(() => planted('a b', plant)).to.throw('0 places');
    expect(() => planted('x x', plant)).to.throw('2 places');
  });
});
