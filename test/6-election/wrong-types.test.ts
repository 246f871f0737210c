import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningNode } from '../../src/node/options.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { eventually } from '../shared/cluster.ts';
import { freeAddress } from '../shared/free-ports.ts';
import { wrongTypes } from '../shared/hostile/wrong-types.ts';
import { LineClient } from '../shared/line-client.ts';
import { startNode } from '../shared/nodes.ts';

describe('the leader of stage 6, with all operations that the store has,', function () {
  this.timeout(60_000);
  let node: RunningNode;
  let data: string;
  const clients: LineClient[] = [];

  before(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    const address = await freeAddress();
    node = await startNode(6, { data, listen: parseAddress(address), nodes: [{ id: 'n1', address }] });
    const client = await LineClient.connect(address);
    await eventually('it leads', async () => (await client.ask('status')).role === 'leader');
    await client.close();
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.close()));
  });
  after(async () => {
    await node.close();
    rmSync(data, { recursive: true, force: true });
  });

  wrongTypes({
    connect: async options => {
      const client = await LineClient.connect(node.address, options);
      clients.push(client);
      return client;
    },
  });
});
