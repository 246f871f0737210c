import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RunningNode } from '../../src/node/options.ts';
import { refusal, scripted } from '../1-client/servers.ts';
import { eventually } from '../shared/cluster.ts';
import { LineClient, type Reply } from '../shared/line-client.ts';
import { startNode } from '../shared/nodes.ts';

describe('nodes that wait', function () {
  this.timeout(30_000);
  let data: string;
  const running: RunningNode[] = [];

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map(node => node.close()));
    rmSync(data, { recursive: true, force: true });
  });

  async function waiting(id: string): Promise<string> {
    const node = await startNode(6, { id, data: join(data, id) });
    running.push(node);
    return node.address;
  }

  async function ask(address: string, request: object): Promise<Reply> {
    const client = await LineClient.connect(address);
    client.send(request);
    const reply = JSON.parse(await client.line(15_000)) as Reply;
    await client.close();
    return reply;
  }

  it('say so, and take nothing but questions about themselves', async () => {
    const address = await waiting('a');
    expect(await ask(address, { op: 'status' })).to.deep.include({
      role: 'uninitialised',
      cluster: null,
      members: [],
    });
    expect((await ask(address, { op: 'set', key: '/a', value: '1' })).error).to.include({
      code: 'NOT_INITIALISED',
    });
    expect((await ask(address, { op: 'get', key: '/a' })).error).to.include({ code: 'NOT_INITIALISED' });
  });

  it('become a cluster when any one of them is told the list, and stay one when they restart', async () => {
    const nodes = { a: await waiting('a'), b: await waiting('b'), c: await waiting('c') };
    const reply = await ask(nodes.b, { op: 'init', nodes });
    expect(reply.ok, JSON.stringify(reply)).to.equal(true);
    expect(reply.members).to.have.length(3);
    await eventually(
      'they take changes',
      async () => (await ask(nodes.c, { op: 'set', key: '/a', value: '1' })).ok,
    );
    expect((await ask(nodes.a, { op: 'init', nodes })).error).to.include({ code: 'ALREADY_INITIALISED' });
    for (const node of running.splice(0)) await node.close();
    for (const [id, address] of Object.entries(nodes)) {
      const port = Number(address.split(':')[1]);
      const { start } = await import('../../stages/6-election/server.ts');
      running.push(await start({ id, listen: { host: '127.0.0.1', port }, data: join(data, id) }));
    }
    await eventually(
      'they remember',
      async () => (await ask(nodes.a, { op: 'get', key: '/a' })).value === '1',
    );
  });

  it('are left as they were when an address of the list is wrong', async () => {
    const [a, b] = [await waiting('a'), await waiting('b')];
    const { error } = await ask(a, { op: 'init', nodes: { a, b, c: '127.0.0.1:1' } });
    expect(error).to.include({ code: 'NODE_UNREACHABLE', definite: true, node: 'c' });
    const swapped = await ask(a, { op: 'init', nodes: { a, c: b } });
    expect(swapped.error).to.include({ code: 'UNKNOWN_NODE', definite: true });
    const without = await ask(a, { op: 'init', nodes: { b } });
    expect(without.error).to.include({ code: 'BAD_REQUEST' });
    for (const address of [a, b])
      expect((await ask(address, { op: 'hello' })).role).to.equal('uninitialised');
  });

  it('are not taken from another cluster', async () => {
    const [a, b] = [await waiting('a'), await waiting('b')];
    expect((await ask(a, { op: 'init', nodes: { a } })).ok).to.equal(true);
    const { error } = await ask(b, { op: 'init', nodes: { a, b } });
    expect(error).to.include({ code: 'ALREADY_INITIALISED', definite: true });
    expect((await ask(b, { op: 'hello' })).role).to.equal('uninitialised');
  });

  it('are named when another init was quicker at one of them, and no repetition will help', async () => {
    const [n1, n2] = [await waiting('n1'), await waiting('n2')];
    const quicker = await scripted(({ op }, socket) => {
      const hello = { ok: true, rev: 0, node: 'n3', role: 'uninitialised', cluster: null };
      socket.write(
        `${JSON.stringify(op === 'hello' ? hello : refusal('ALREADY_INITIALISED', true, false))}\n`,
      );
    });
    const { error } = await ask(n1, { op: 'init', nodes: { n1, n2, n3: quicker.address } });
    await quicker.close();
    expect(error).to.deep.include({
      code: 'ALREADY_INITIALISED',
      definite: false,
      retry: false,
      begun: ['n2'],
    });
    expect(error?.message).to.contain('empty data directory');
  });

  it('serve alone when the list names one node', async () => {
    const a = await waiting('a');
    expect((await ask(a, { op: 'init', nodes: { a } })).ok).to.equal(true);
    await eventually('it leads', async () => (await ask(a, { op: 'status' })).role === 'leader');
    expect(await ask(a, { op: 'set', key: '/a', value: '1' })).to.include({ ok: true, rev: 1 });
  });
});
