import { createServer } from 'node:net';
import { expect } from 'chai';
import type { RunningNode } from '../../src/node/options.ts';
import { eventually } from '../shared/cluster.ts';
import { LineClient } from '../shared/line-client.ts';
import { startNode } from '../shared/nodes.ts';
import { GrpcClient } from './grpc-client.ts';

/** A free port of the IPv6 loopback, or undefined where there is none. */
function freePort(): Promise<number | undefined> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(0, '::1', () => {
      const bound = server.address();
      const port = typeof bound === 'object' && bound !== null ? bound.port : undefined;
      server.close(() => resolve(port));
    });
  });
}

describe('two nodes on IPv6', () => {
  let nodes: RunningNode[] = [];
  let ports: number[] = [];

  before(async function () {
    const free = [await freePort(), await freePort()];
    ports = free.filter(port => port !== undefined);
    if (ports.length === 2 && ports[0] !== ports[1]) return;
    this.test?.parent?.eachTest(test => {
      test.title += ' (this machine has no IPv6 loopback)';
    });
    this.skip();
  });
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map(node => node.close()));
  });

  it('speak gRPC to each other, and both to clients', async () => {
    const members = ports.map((port, at) => ({ id: `n${at + 1}`, address: `[::1]:${port}` }));
    nodes = await Promise.all(
      members.map(({ id }, at) =>
        startNode(3, { id, nodes: members, listen: { host: '::1', port: ports[at] ?? 0 } }),
      ),
    );
    const [first, second] = nodes.map(node => node.address);
    expect([first, second]).to.deep.equal(members.map(({ address }) => address));
    const lines = await LineClient.connect(second ?? '');
    const grpc = new GrpcClient(first ?? '');
    try {
      await eventually('the second brings a change to the first', async () => {
        const { ok } = await lines.ask({ op: 'set', key: '/a', value: '1' });
        return ok;
      });
      expect((await grpc.ask('Get', { key: '/a' })).reply).to.include({ value: '1' });
      expect(await lines.ask({ op: 'get', key: '/a' })).to.include({ value: '1' });
      const { members: known } = await lines.ask({ op: 'status' });
      expect(known).to.have.length(2);
    } finally {
      grpc.close();
      await lines.close();
    }
  });
});
