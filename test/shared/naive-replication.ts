import { expect } from 'chai';
import { Cluster } from '../../lab/cluster.ts';
import { askOf, eventually } from './cluster.ts';

/** What stage 2 does and what it breaks, of itself and of stage 3, which differs in nothing but the transport. */
export function naiveReplication(stage: number): void {
  describe('naive replication', function () {
    this.timeout(60_000);
    let cluster: Cluster;
    const ask = askOf(() => cluster);
    const valueAt = async (id: string, key: string) => (await ask(id, { op: 'get', key })).value;

    before(async () => {
      cluster = await Cluster.start({ stage, nodes: 5 });
    });
    after(() => cluster.stop());

    beforeEach(async () => {
      cluster.heal();
      for (const id of cluster.ids) cluster.delay(id, 0);
      const dead = cluster.nodes.filter(({ state }) => state !== 'running');
      await Promise.all(dead.map(node => node.restart()));
      await allLinked();
    });

    /** A leader that has only just begun knows its followers once it has greeted them. */
    async function allLinked(): Promise<void> {
      await eventually('the leader reaches every follower', async () => {
        const { members } = await ask('n1', { op: 'status' });
        return members.every((member: { active: boolean }) => member.active);
      });
      for (const id of cluster.ids) {
        await eventually(
          `${id} reaches the leader`,
          async () => (await ask(id, { op: 'remove', key: '/none' })).ok,
        );
      }
    }

    it('brings a change that was given to any node to every node', async () => {
      expect(await ask('n4', { op: 'set', key: '/brought/a', value: '1' })).to.include({ ok: true });
      for (const id of cluster.ids) {
        await eventually(`${id} has it`, async () => (await valueAt(id, '/brought/a')) === '1');
      }
      expect(await ask('n5', { op: 'remove', prefix: '/brought/' })).to.include({ ok: true, removed: 1 });
      await eventually('n2 has lost it', async () => (await valueAt('n2', '/brought/a')) === null);
    });

    it('works with two of five nodes away', async () => {
      await cluster.node('n2').kill();
      await cluster.node('n4').kill();
      expect(await ask('n5', { op: 'set', key: '/two-away', value: '1' })).to.include({ ok: true });
      expect(await valueAt('n1', '/two-away')).to.equal('1');
    });

    it('says that a read is of the node asked, and promises no more', async () => {
      expect(await ask('n3', { op: 'get', key: '/a' })).to.include({ ok: true, local: true });
      expect(await ask('n3', { op: 'list' })).to.include({ ok: true, local: true });
      const reply = await ask('n3', { op: 'get', key: '/a', read: 'linearizable' });
      expect(reply.error).to.include({ code: 'WRONG_STAGE', stage: 5 });
    });

    it('names the leader to a client that does not want to be forwarded', async () => {
      const { error } = await ask('n2', { op: 'set', key: '/a', value: '1', forward: false });
      expect(error).to.deep.include({
        code: 'NOT_LEADER',
        definite: true,
        leader: { id: 'n1', address: cluster.node('n1').address },
      });
    });

    it('answers NO_LEADER, and has done nothing, while the leader is away', async () => {
      await cluster.node('n1').kill();
      await eventually('n2 has noticed', async () => {
        const { error } = await ask('n2', { op: 'set', key: '/unled', value: '1' });
        return error?.code === 'NO_LEADER' && error.definite === true;
      });
      expect(await valueAt('n2', '/unled')).to.equal(null);
    });

    it('leaves the outcome open when the leader is lost while it works', async () => {
      await cluster.node('n1').pause();
      const reply = ask('n2', { op: 'set', key: '/open', value: '1', timeout: 10_000 });
      await eventually('the request is under way', async () => (await ask('n2', { op: 'ping' })).pong);
      await cluster.node('n1').kill();
      expect((await reply).error).to.include({ code: 'LEADER_LOST', definite: false });
    });

    it('fault: a change that failed stays where it was written, and the error can promise nothing', async () => {
      await ask('n1', { op: 'set', key: '/failed', value: 'old' });
      for (const id of ['n3', 'n4', 'n5']) await cluster.node(id).kill();
      const { error } = await ask('n1', { op: 'set', key: '/failed', value: 'failed' });
      expect(error).to.include({ code: 'NO_QUORUM', definite: false });
      expect(await valueAt('n1', '/failed')).to.equal('old');
      await eventually('n2 keeps it', async () => (await valueAt('n2', '/failed')) === 'failed');
    });

    it('fault: a follower that restarts has forgotten everything, and nobody tells it', async () => {
      await ask('n1', { op: 'set', key: '/forgotten', value: '1' });
      await eventually('n5 has it', async () => (await valueAt('n5', '/forgotten')) === '1');
      await cluster.node('n5').kill();
      await cluster.node('n5').restart();
      await allLinked();
      await ask('n1', { op: 'set', key: '/heard', value: '2' });
      await eventually('n5 has what came after', async () => (await valueAt('n5', '/heard')) === '2');
      expect(await valueAt('n5', '/forgotten')).to.equal(null);
    });

    it('fault: two nodes that once differ, differ for ever', async () => {
      const revs = async () =>
        Promise.all(['n1', 'n5'].map(async id => (await ask(id, { op: 'status' })).rev));
      const [here = 0, there = 0] = await revs();
      cluster.partition([['n5'], ['n1', 'n2', 'n3', 'n4']]);
      cluster.reset('n1', 'n5'); // or what was held back would arrive after all
      await ask('n1', { op: 'set', key: '/missed', value: 'missed' });
      cluster.heal();
      await allLinked();
      for (let round = 1; round <= 10; round += 1)
        await ask('n1', { op: 'set', key: `/seen/${round}`, value: 'seen' });
      await eventually(
        'n5 has all that came after',
        async () => (await valueAt('n5', '/seen/10')) === 'seen',
      );
      expect(await valueAt('n1', '/missed')).to.equal('missed');
      expect(await valueAt('n5', '/missed')).to.equal(null);
      const by = 'each node counts its own revisions';
      expect(await revs(), by).to.deep.equal([here + 11, there + 10]);
    });

    it('fault: of two updates under the same condition both are told that they won, and one is lost', async () => {
      const { mod } = await ask('n1', { op: 'set', key: '/counter', value: '7' });
      for (const id of ['n2', 'n3', 'n4', 'n5']) cluster.delay(id, 150);
      const condition = { mod };
      const replies = await Promise.all([
        ask('n1', { op: 'set', key: '/counter', value: '8 by one', if: condition }),
        ask('n1', { op: 'set', key: '/counter', value: '8 by another', if: condition }),
      ]);
      expect(replies.map(reply => reply.ok)).to.deep.equal([true, true]);
      expect(await ask('n1', { op: 'get', key: '/counter' })).to.include({ version: 3 });
    });
  });
}
