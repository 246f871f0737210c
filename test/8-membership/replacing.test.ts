import { expect } from 'chai';
import { connect } from '../../client/client.ts';
import { ClientError } from '../../client/client-error.ts';
import { MemberCluster } from './member-cluster.ts';

describe('stage 8: a cluster in use', function () {
  this.timeout(120_000);
  let cluster: MemberCluster;

  beforeEach(async () => {
    cluster = await MemberCluster.of('n1', 'n2', 'n3');
  });
  afterEach(() => cluster.close());

  /**
   * Writes one key after the other until it is told to stop. Every write has to succeed, save one for each node that
   * ends: what another has just passed on to it, and it has not read any more, may have happened for all that is known.
   */
  function writer(ids: readonly string[]) {
    // Without a session nothing is repeated whose outcome is unknown: each answer has to be plain.
    const client = connect(
      ids.map(id => cluster.address(id)),
      { session: false },
    );
    let isOver = false;
    let written = 0;
    let open = 0;
    const run = async () => {
      for (let number = 0; !isOver; number += 1) {
        try {
          await client.set(`/w/${number}`, String(number));
          written += 1;
        } catch (error) {
          if (!(error instanceof ClientError) || error.code !== 'LEADER_LOST') throw error;
          open += 1;
        }
      }
    };
    const done = run();
    done.catch(() => {});
    return {
      stop: async () => {
        isOver = true;
        try {
          await done;
        } finally {
          await client.close();
        }
        return { written, open };
      },
    };
  }

  const checkAll = async (id: string, { written, open }: { written: number; open: number }) => {
    expect(written).to.be.greaterThan(0);
    expect(open).to.be.at.most(3);
    const { removed } = await cluster.ask(id, { op: 'remove', prefix: '/w/' });
    expect(removed).to.be.within(written, written + open);
  };

  it('moves from {1,2,3} to {4,5,6} at once, while a client writes', async () => {
    for (const id of ['n4', 'n5', 'n6']) {
      await cluster.start(id);
      expect((await cluster.add(id)).ok).to.equal(true);
    }
    const writing = writer(['n1', 'n2', 'n3', 'n4', 'n5', 'n6']);
    const reply = await cluster.vote(['n4', 'n5', 'n6'], 'n2');
    expect(reply.ok, JSON.stringify(reply)).to.equal(true);
    expect(reply.members.map(({ id }: { id: string }) => id)).to.have.members(['n4', 'n5', 'n6']);
    await cluster.leader('n4', 'n5', 'n6');
    for (const id of ['n1', 'n2', 'n3']) await cluster.stop(id);
    await checkAll('n5', await writing.stop());
    await cluster.agree('n4', 'n5', 'n6');
  });

  it('is replaced node by node, while a client writes', async () => {
    for (const id of ['n4', 'n5', 'n6']) await cluster.start(id);
    const writing = writer(['n1', 'n2', 'n3', 'n4', 'n5', 'n6']);
    let voters = ['n1', 'n2', 'n3'];
    for (const [old, fresh] of [
      ['n1', 'n4'],
      ['n2', 'n5'],
      ['n3', 'n6'],
    ] as const) {
      const via = voters.find(id => id !== old) ?? '';
      expect((await cluster.add(fresh, via)).ok).to.equal(true);
      voters = [...voters.filter(id => id !== old), fresh];
      const reply = await cluster.vote(voters, via);
      expect(reply.ok, JSON.stringify(reply)).to.equal(true);
      await cluster.stop(old);
    }
    await checkAll('n5', await writing.stop());
    await cluster.agree('n4', 'n5', 'n6');
  });
});
