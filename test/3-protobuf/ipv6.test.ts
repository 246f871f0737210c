import { createServer } from 'node:net';
import { expect } from 'chai';
import type { RunningNode } from '../../src/node/options.ts';
import { eventually } from '../shared/cluster.ts';
import { freePorts } from '../shared/free-ports.ts';
import { LineClient } from '../shared/line-client.ts';
import { startNode } from '../shared/nodes.ts';
import { GrpcClient } from './grpc-client.ts';

/** Whether this machine has the IPv6 loopback, and nobody listens on this port of it. */
function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '::1', () => server.close(() => resolve(true)));
  });
}

describe('two nodes on IPv6', () => {
  let nodes: RunningNode[] = [];
  let ports: readonly number[] = [];

  before(async function () {
    ports = await freePorts(2);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return;
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
