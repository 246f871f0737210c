import { expect } from 'chai';
import { joinCluster } from '../../bin/join.ts';
import { type Heard, refusal, reply, type Scripted, scripted } from '../1-client/servers.ts';

describe('a node that joins by itself', () => {
  let cluster: Scripted;
  afterEach(() => cluster.close());

  it('tells of every step once, those too whose answer was lost', async () => {
    const self = { id: 'n2', address: '127.0.0.1:7002' };
    let role: 'none' | 'learner' | 'voter' = 'none';
    cluster = await scripted((request: Heard, socket) => {
      if (request.op === 'members') {
        const own = role === 'none' ? [] : [{ ...self, role }];
        const members = [{ id: 'n1', address: cluster.address, role: 'voter' }, ...own];
        reply(socket, request.id, { ok: true, rev: 0, members });
        return;
      }
      if (request.op === 'add-learner' && role !== 'none') {
        reply(socket, request.id, { ok: true, rev: 0, members: [] });
        return;
      }
      role = request.op === 'add-learner' ? 'learner' : 'voter';
      const code = role === 'learner' ? 'LEADER_LOST' : 'CONFLICT';
      reply(socket, request.id, refusal(code, role === 'voter', role === 'learner'));
    });
    const said: string[] = [];
    const join = () =>
      joinCluster({
        self,
        through: cluster.address,
        wantsVote: true,
        say: text => said.push(text),
        signal: AbortSignal.timeout(10_000),
      });
    await join();
    expect(said.filter(text => !text.startsWith('cannot join yet'))).to.deep.equal([
      'is a learner now, and catches up',
      'is a voter now',
    ]);
    // Started again, it has long been one.
    said.length = 0;
    await join();
    expect(said).to.deep.equal([]);
  });
});
