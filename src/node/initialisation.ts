import type { NodeAddress } from '../wire/address.ts';
import { failure, RaftlineError, refuse } from '../wire/errors.ts';
import { askNode } from './ask.ts';

/** Milliseconds that each node has to answer. */
const PATIENCE = 1_500;

/**
 * Makes every other node of a new cluster begin with the same list. First all are asked whether they wait, so that
 * a wrong address changes nothing anywhere; then each is told. One that already began with this very list is as
 * good as told, so that an `init` that broke off can be repeated.
 */
export async function initialiseOthers(
  others: readonly NodeAddress[],
  nodes: readonly NodeAddress[],
  cluster: string,
): Promise<void> {
  const answers = await Promise.all(
    others.map(async node => ({ node, hello: await askNode(node, { op: 'hello' }, PATIENCE) })),
  );
  for (const { node, hello } of answers) {
    if (!hello.ok) refuse('NODE_UNREACHABLE', `${node.address} is no raftline node: ${hello.error.message}`);
    if (hello.node !== node.id) {
      refuse('UNKNOWN_NODE', `the node at ${node.address} is ${hello.node}, not ${node.id}; mend the list`);
    }
    if (hello.role !== 'uninitialised' && hello.cluster !== cluster) {
      const words = `${node.id} at ${node.address} already belongs to cluster ${hello.cluster}`;
      refuse('ALREADY_INITIALISED', `${words}; leave it out, or start it with an empty data directory`);
    }
  }
  const list = Object.fromEntries(nodes.map(({ id, address }) => [id, address]));
  for (const node of others) {
    const reply = await askNode(node, { op: 'init', nodes: list, forward: false }, PATIENCE).catch(unknown);
    if (!reply.ok) unknown(new RaftlineError(reply.error));
  }
}

/** Some nodes have begun and some may not have: that is mended by doing the same again. */
function unknown(error: unknown): never {
  const why = error instanceof Error ? error.message : String(error);
  const words = `${why}; some nodes may have begun already: send the same init again`;
  throw new RaftlineError(failure('NODE_UNREACHABLE', words, { definite: false }));
}
