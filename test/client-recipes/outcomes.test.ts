import { expect } from 'chai';
import { ClientError } from '../../client/client.ts';
import { failureOf } from '../1-client/servers.ts';
import { RealCluster } from './real-cluster.ts';

describe('changes of the client, when leaders fail', function () {
  this.timeout(90_000).slow(20_000);
  const real = RealCluster.forSuite();

  it('are told by a leader that was cut off that it leads no more, and that nobody knows what becomes of them', async () => {
    const [leader = '', ...others] = await real.idsFromLeader();
    const user = real.client([leader], { session: false, timeout: 30_000 });
    await user.set('/cut/a', '1');
    real.cluster.partition([[leader], others]);
    const lost = await failureOf<ClientError>(user.set('/cut/a', '2'));
    expect(lost).to.include({ code: 'LEADER_LOST', definite: false });
    expect(lost.failure.leader).to.equal(null);
  });

  it('are told honestly what nobody can know: only what was never sent has certainly not happened', async () => {
    const user = real.client();
    await user.set('/honest/a', '1');
    for (const node of real.cluster.nodes) node.pause();
    const sent = await failureOf<ClientError>(user.set('/honest/a', '2', { timeout: 300 }));
    expect(sent).to.include({ code: 'TIMEOUT', definite: false });
    for (const node of real.cluster.nodes) node.resume();
    await Promise.all(real.cluster.nodes.map(node => node.kill()));
    const unsent = await failureOf<ClientError>(real.client().set('/honest/b', '1', { timeout: 300 }));
    expect(unsent).to.be.instanceOf(ClientError);
    expect(unsent).to.include({ code: 'NODE_UNREACHABLE', definite: true });
  });

  it('are refused for good reasons as before', async () => {
    const user = real.client();
    await user.set('/reasons/a', '1');
    const conflict = await failureOf<ClientError>(user.set('/reasons/a', '2', { if: { absent: true } }));
    expect(conflict).to.include({ code: 'CONFLICT', definite: true });
    expect((await user.set('/reasons/a', '2', { if: { value: '1' } })).ok).to.equal(true);
  });
});
