import { expect } from 'chai';
import { planted, plantedFile, tryPlants } from '../simulator/planting.ts';
import { PLANTS } from '../simulator/plants.ts';

describe('a mistake planted in the production code', () => {
  const caught = new Map<string, string>();

  before(async function () {
    this.timeout(300_000);
    await tryPlants(PLANTS, {}, ({ plant, finding }) => {
      if (finding !== undefined) caught.set(plant.name, finding.property);
    });
  });

  for (const { name, caughtBy } of PLANTS) {
    const by = typeof caughtBy === 'string' ? caughtBy : caughtBy.title;
    it(`is caught: ${name}, by "${by}"`, () => {
      expect(caught.get(name)).to.be.a('string');
    });
  }

  it('has its place in the code as it is', () => {
    for (const plant of PLANTS) expect(plantedFile(plant)).to.be.a('string');
  });

  it('has exactly one place, or it is an error', () => {
    const plant = { name: 'a', file: 'a.js', find: 'x', replace: 'y', caughtBy: 'nothing' };
    expect(planted('a x b', plant)).to.equal('a y b');
    expect(() => planted('a b', plant)).to.throw('0 places');
    expect(() => planted('x x', plant)).to.throw('2 places');
  });
});
