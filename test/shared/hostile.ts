import { bytes } from './hostile/bytes.ts';
import { load } from './hostile/load.ts';
import { mutations } from './hostile/mutations.ts';
import { IDLE_MID_LINE, type Target } from './hostile/target.ts';
import { wrongTypes } from './hostile/wrong-types.ts';
import { LineClient } from './line-client.ts';
import type { ForkedNode, TestOptions } from './nodes.ts';

/** A stage's node to throw things at, in a process of its own. `start` resolves once it takes changes. */
export interface Hostile {
  readonly name: string;
  readonly start: (options: TestOptions) => Promise<ForkedNode>;
}

/** What strangers, faults and broken clients send; the node has to stay up, in its bounds, and there for others. */
export function hostile({ name, start }: Hostile): void {
  describe(`${name} bears what is thrown at it`, function () {
    this.timeout(60_000);
    let node: ForkedNode;
    const clients: LineClient[] = [];
    const target: Target = {
      node: () => node,
      connect: async options => {
        const client = await LineClient.connect(node.address, options);
        clients.push(client);
        return client;
      },
    };

    before(async () => {
      node = await start({ idleMidLine: IDLE_MID_LINE });
    });
    afterEach('is alive, and serves a new client', async () => {
      if (!node.isAlive) throw new Error('the node is gone');
      const client = await LineClient.connect(node.address);
      if (!(await client.ask('ping')).ok) throw new Error('the node does not answer a ping');
      await Promise.all([client, ...clients.splice(0)].map(one => one.close()));
    });
    after(() => node.kill());

    wrongTypes(target);
    mutations(target);
    bytes(target);
    load(target);
  });
}
