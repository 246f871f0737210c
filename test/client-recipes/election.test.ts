import { expect } from 'chai';
import { eventually, RealCluster } from './real-cluster.ts';

describe('elections of the client', function () {
  this.timeout(90_000).slow(20_000);
  const real = RealCluster.forSuite();

  it('are won by one, whom others can read, and then by the next', async () => {
    const [one, two] = [real.client(), real.client()];
    expect(await one.leader('e')).to.equal(null);
    const first = await one.elect('e', 'one');
    expect(await two.leader('e')).to.deep.equal({ value: 'one', key: first.key, fence: first.fence });
    expect(first).to.include({ name: 'e', value: 'one', isHeld: true });
    const second = two.elect('e', 'two');
    await first.resign();
    expect((await second).fence).to.be.above(first.fence);
    expect((await one.leader('e'))?.value).to.equal('two');
    await (await second).resign();
    expect(await one.leader('e')).to.equal(null);
  });

  it('have one winner at a time while the cluster\u2019s leader is killed and cut off', async () => {
    const users = Array.from({ length: 3 }, () => real.client());
    let leading = 0;
    let terms = 0;
    let isOver = false;
    const candidates = users.map(async (user, at) => {
      while (!isOver) {
        const leadership = await user.elect('storm', String(at), { ttl: 10 });
        leading += 1;
        expect(leading).to.equal(1);
        await user.set('/storm', String(at), { if: leadership.guard, timeout: 30_000 });
        expect(leadership.isHeld).to.equal(true);
        terms += 1;
        leading -= 1;
        await leadership.resign();
      }
    });
    await eventually('some have led', () => terms >= 3);
    const [leader = ''] = await real.idsFromLeader();
    await real.cluster.node(leader).kill();
    const before = terms;
    await eventually('some have led since', () => terms >= before + 3);
    await real.cluster.node(leader).start();
    const [next = '', ...others] = await real.idsFromLeader();
    real.cluster.partition([[next], others]);
    const then = terms;
    await eventually('some have led since', () => terms >= then + 3);
    isOver = true;
    await Promise.all(candidates);
  });
});
