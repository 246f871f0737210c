import { startCluster, theLeader } from '../shared/cluster.ts';
import { wrongTypes } from '../shared/hostile/wrong-types.ts';
import { LineClient } from '../shared/line-client.ts';

describe('the leader of stage 6, with all operations that the store has,', function () {
  this.timeout(60_000);
  let node: Awaited<ReturnType<typeof startCluster>>;
  const clients: LineClient[] = [];

  before(async () => {
    node = await startCluster(6, theLeader);
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.close()));
  });
  after(() => node.close());

  wrongTypes({
    connect: async options => {
      const client = await LineClient.connect(node.address, options);
      clients.push(client);
      return client;
    },
  });
});
