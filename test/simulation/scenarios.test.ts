import { expect } from 'chai';
import { playScenario, SCENARIOS } from '../simulator/scenarios.ts';

describe('in a simulated world,', () => {
  for (const { name } of SCENARIOS) {
    it(name, () => {
      expect(playScenario(name)?.message).to.equal(undefined);
    });
  }
});
