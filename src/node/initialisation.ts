import type { NodeAddress } from '../wire/address.ts';
import { type Failure, failure, RaftlineError, refuse } from '../wire/errors.ts';
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
  const begun: string[] = [];
  for (const node of others) {
    const reply = await askNode(node, { op: 'init', nodes: list, forward: false }, PATIENCE).catch(unknown);
    if (reply.ok) begun.push(node.id);
    else if (reply.error.code === 'ALREADY_INITIALISED') taken(node, reply.error, begun);
    else unknown(new RaftlineError(reply.error));
  }
}

/** Somebody else made another cluster of a node since it was asked: no repetition will help. */
function taken({ id, address }: NodeAddress, { message }: Failure, begun: readonly string[]): never {
  const left =
    begun.length === 0
      ? 'nothing was changed'
      : `${begun.join(', ')} began with this list, and can only go on with an empty data directory`;
  const words = `${id} at ${address} has begun with another list meanwhile (${message}); ${left}`;
  throw new RaftlineError(failure('ALREADY_INITIALISED', words, { definite: begun.length === 0, begun }));
}

/** Some nodes have begun and some may not have: that is mended by doing the same again. */
function unknown(error: unknown): never {
  const why = error instanceof Error ? error.message : String(error);
  const words = `${why}; some nodes may have begun already: send the same init again`;
  throw new RaftlineError(failure('NODE_UNREACHABLE', words, { definite: false }));
}
