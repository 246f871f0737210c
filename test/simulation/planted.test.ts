import { expect } from 'chai';
import { planted, plantedFile, tryPlants } from '../simulator/planting.ts';
import { PLANTS } from '../simulator/plants.ts';

/** What takes many seeds to catch is left to `npm run sim -- --planted`. */
const SLOW = ['a torn tail is kept', 'what is replaced in a log comes back at a restart'];

describe('a mistake planted in the production code', () => {
  const plants = PLANTS.filter(({ name }) => !SLOW.includes(name));
  const caught = new Map<string, string>();

  before(async function () {
    this.timeout(300_000);
    expect(plants).to.have.length(PLANTS.length - SLOW.length);
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
