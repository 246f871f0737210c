import { expect } from 'chai';
import { ClientError } from '../../client/client.ts';
import { failureOf } from '../1-client/servers.ts';
import { RealCluster } from './real-cluster.ts';

describe('changes of the client, when leaders fail', function () {
  this.timeout(90_000).slow(20_000);
  const real = RealCluster.forSuite();

  it('happen once each, whatever became of their answers', async () => {
    const [leader = '', ...others] = await real.idsFromLeader();
    const user = real.client([leader, ...others]);
    const counted = real.client(others);
    await counted.set('/once/begin', '');
    const before = (await counted.get('/once/n')).version;
    let done = 0;
    const writes = Array.from({ length: 400 }, async (_, n) => {
      await user.set('/once/n', String(n), { timeout: 30_000 });
      done += 1;
      if (done === 100) await real.cluster.node(leader).kill();
    });
    await Promise.all(writes);
    expect((await counted.get('/once/n')).version - before, 'one version for each write').to.equal(400);
  });

  it('find the new leader when theirs is cut off, and happen once', async () => {
    const [leader = '', ...others] = await real.idsFromLeader();
    const user = real.client([leader, ...others]);
    await user.set('/cut/n', 'first');
    real.cluster.partition([[leader], others]);
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => user.set('/cut/n', String(n), { timeout: 30_000 })),
    );
    expect((await user.get('/cut/n')).version).to.equal(21);
  });

  it('find the new leader when theirs stands still, and happen once', async () => {
    const [leader = '', ...others] = await real.idsFromLeader();
    const user = real.client([leader, ...others]);
    await user.set('/still/n', 'first');
    real.cluster.node(leader).pause();
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => user.set('/still/n', String(n), { timeout: 30_000 })),
    );
    expect((await user.get('/still/n')).version).to.equal(21);
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
