import type { Cluster } from '../../lab/cluster.ts';
import { LineClient, type Reply } from './line-client.ts';

/** Asks a node of a cluster one thing, over a connection of its own. */
export function askOf(cluster: () => Cluster): (id: string, request: object) => Promise<Reply> {
  return async (id, request) => {
    const client = await LineClient.connect(cluster().node(id).address);
    try {
      client.send(request);
      return JSON.parse(await client.line(15_000)) as Reply;
    } finally {
      await client.close();
    }
  };
}

/** Waits until something is so, and says what it waited for when it does not become so in time (milliseconds). */
export async function eventually(
  what: string,
  test: () => unknown | Promise<unknown>,
  patience = 15_000,
): Promise<void> {
  const end = performance.now() + patience;
  for (;;) {
    if (await test()) return;
    if (performance.now() > end) throw new Error(`within ${patience} ms it did not come about that ${what}`);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

/** The node that leads, once one of those asked says that it does. */
export async function leaderOf(
  ids: readonly string[],
  ask: (id: string, request: object) => Promise<Reply>,
): Promise<string> {
  let leader = '';
  await eventually('a leader is elected', async () => {
    const statuses = await Promise.all(ids.map(id => ask(id, { op: 'status' }).catch(() => undefined)));
    const leading = statuses.filter(status => status?.role === 'leader').sort((a, b) => b?.term - a?.term);
    leader = leading[0]?.node ?? '';
    return leader !== '';
  });
  return leader;
}
