import { expect } from 'chai';
import { Dice } from '../simulator/dice.ts';
import { Operator } from '../simulator/operator.ts';
import { World } from '../simulator/world.ts';

describe('the operator of a simulated cluster', () => {
  it('takes no machine away before the cluster has begun, since any of them may be needed', () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const world = new World({ seed, size: 3 });
      const operator = new Operator(world, new Dice(seed));
      expect(world.run(3_000), world.violation?.message).to.equal(true);
      operator.end();
      expect(world.nodes.filter(({ isGone, isLost }) => isGone || isLost)).to.deep.equal([]);
    }
  });

  it('leaves a majority of every configuration sound', () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      const world = new World({ seed, size: 3 });
      for (const node of world.nodes) world.start(node);
      const operator = new Operator(world, new Dice(seed));
      expect(world.run(20_000), world.violation?.message).to.equal(true);
      operator.end();
      const { voters } = world.invariants.configuration;
      const sound = world.members.filter(({ id }) => voters.includes(id));
      expect(sound.length * 2).to.be.greaterThan(voters.length);
    }
  });
});

describe('a simulated world', () => {
  it('finds a fault of the simulator itself in the run in which it is', () => {
    const world = new World({ seed: 1, size: 1 });
    world.timeline.after(10, () => {
      throw new Error('a die fell off the table');
    });
    expect(world.run(1)).to.equal(false);
    expect(world.violation?.message).to.contain('the simulator').and.contain('off the table');
  });
});
