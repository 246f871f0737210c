import { expect } from 'chai';
import { eventually } from '../cluster.ts';
import { expectRefusal, type Subject } from './subject.ts';

/** The stage from which each operation is promised. */
const FROM_STAGE: Readonly<Record<string, number>> = {
  ...{ help: 0, hello: 0, ping: 0, status: 0, quit: 0, get: 0, set: 0, remove: 0, list: 0 },
  ...{ txn: 4, watch: 4, unwatch: 4, members: 4, hash: 4 },
  ...{ grant: 6, renew: 6, revoke: 6, leases: 6, session: 6, init: 6, 'transfer-leader': 6 },
  ...{ snapshot: 7, backup: 7, 'add-learner': 8, 'change-membership': 8, 'remove-node': 8 },
};

/** `help`, `hello`, `ping`, `status`, `quit`, and what a stage does not have yet. */
export function aboutTheNode({ connect, address }: Subject): void {
  describe('about the node', () => {
    it('says nothing until it is asked', async () => {
      const client = await connect();
      const reply = await client.ask('ping');
      expect(reply).to.deep.equal({ ok: true, rev: reply.rev, pong: true });
    });

    it('answers help with a usage and an example line for every op that hello names', async () => {
      const client = await connect();
      const hello = await client.ask({ op: 'hello' });
      const help = await client.ask({ op: 'help' });
      expect(help).to.have.all.keys('ok', 'rev', 'ops');
      expect(Object.keys(help.ops)).to.have.members(hello.ops);
      for (const [op, usage] of Object.entries(help.ops as Record<string, string>)) {
        expect(usage).to.not.contain('\n');
        const example = /\{.*\}/.exec(usage)?.[0];
        expect(JSON.parse(example ?? 'null'), usage).to.include({ op });
      }
    });

    it('answers hello with who it is, its limits, and exactly the ops of its stage', async () => {
      const hello = await (await connect()).ask({ op: 'hello' });
      expect(hello).to.have.all.keys(
        ...['ok', 'rev', 'name', 'version', 'protocol', 'node', 'cluster', 'stage', 'role', 'leader'],
        ...['limits', 'ops'],
      );
      expect(hello).to.include({ ok: true, name: 'raftline', protocol: 1 });
      expect(hello.version).to.match(/^\d+\.\d+\.\d+/);
      expect(hello.node).to.match(/^[A-Za-z0-9._-]{1,64}$/);
      expect(hello.limits).to.include({
        line: 1_048_576,
        key: 1_024,
        value: 524_288,
        nesting: 16,
        integer: 2 ** 53 - 1,
      });
      const promised = Object.keys(FROM_STAGE).filter(op => (FROM_STAGE[op] ?? 0) <= hello.stage);
      expect(hello.ops).to.have.members(promised);
    });

    it('answers status with every field of the contract', async () => {
      const client = await connect();
      const hello = await client.ask({ op: 'hello' });
      const status = await client.ask({ op: 'status' });
      expect(status).to.include.all.keys(
        ...['ok', 'rev', 'node', 'address', 'version', 'cluster', 'stage', 'role', 'term', 'leader'],
        ...['commit', 'applied', 'log', 'snapshot', 'keys', 'connections', 'watches', 'uptime', 'members'],
      );
      expect(status).to.include({ node: hello.node, stage: hello.stage, address: address() });
      expect(status.role).to.be.oneOf([
        ...['single', 'uninitialised', 'learner', 'follower', 'candidate', 'leader'],
      ]);
      expect(status.leader).to.deep.equal(hello.leader);
      expect(status.log).to.have.all.keys('first', 'last', 'bytes');
      expect(status.snapshot).to.have.all.keys('index', 'term', 'bytes');
      for (const count of ['rev', 'term', 'commit', 'applied', 'keys', 'connections', 'watches', 'uptime']) {
        expect(status[count], count).to.satisfy(Number.isSafeInteger);
      }
      const self = status.members.find((member: { id: string }) => member.id === hello.node);
      expect(self).to.include({ id: hello.node, address: address(), role: 'voter' });
    });

    it('counts its keys', async () => {
      const client = await connect();
      await client.ask({ op: 'get', key: '/counted' }); // so that the node asked has all there is, whoever leads
      const before = await client.ask('status');
      await client.ask({ op: 'set', key: '/counted', value: '' });
      await client.ask({ op: 'get', key: '/counted' });
      expect((await client.ask('status')).keys).to.equal(before.keys + 1);
      await client.ask({ op: 'remove', key: '/counted' });
      await client.ask({ op: 'get', key: '/counted' });
      expect((await client.ask('status')).keys).to.equal(before.keys);
    });

    it('counts its connections', async () => {
      const client = await connect();
      // A connection of an earlier test may still be closing: what counts is that one more is one more, when none does.
      await eventually('one more is counted as one more', async () => {
        const before = await client.ask('status');
        const other = await connect();
        await other.ask('ping');
        const during = await client.ask('status');
        return during.connections === before.connections + 1;
      });
    });

    it('closes on quit, behind every outstanding reply', async () => {
      const client = await connect();
      client.send({ op: 'get', key: '/q' }, { op: 'ping', id: 'p' }, 'quit', 'ping');
      const replies = (await client.rest()).map(line => JSON.parse(line));
      expect(replies.map(reply => reply.ok)).to.deep.equal([true, true, true]);
      expect(replies.at(-1)).to.have.all.keys('ok', 'rev');
    });

    it('refuses what comes with a later stage, and says with which', async () => {
      const client = await connect();
      const { stage } = await client.ask({ op: 'hello' });
      for (const [op, from] of Object.entries(FROM_STAGE).filter(([, from]) => from > stage)) {
        const error = expectRefusal(await client.ask({ op, id: op }), 'WRONG_STAGE');
        expect(error, op).to.include({ stage: from });
        expect(error.message).to.contain(`stage ${from}`).and.to.contain(`stage ${stage}`);
      }
      for (const field of stage < 6 ? ['lease', 'session', 'seq'] : []) {
        const set = { op: 'set', key: '/later', value: '', [field]: 1 };
        expect(expectRefusal(await client.ask(set), 'WRONG_STAGE')).to.include({ stage: 6 });
      }
      const { value } = await client.ask({ op: 'get', key: '/later' });
      expect(value).to.equal(null);
    });
  });
}
