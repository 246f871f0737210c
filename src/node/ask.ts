import { connect } from 'node:net';
import split2 from 'split2';
import { type NodeAddress, parseAddress } from '../wire/address.ts';
import { refuse } from '../wire/errors.ts';
import { LIMITS } from '../wire/limits.ts';
import type { Outcome } from '../wire/reply.ts';
import { WholeLines } from './whole-lines.ts';

/** Asks another node one thing, as a client would. Throws NODE_UNREACHABLE when no answer comes in time (milliseconds). */
export async function askNode(node: NodeAddress, request: object, patience: number): Promise<Outcome> {
  const socket = connect({ ...parseAddress(node.address), noDelay: true });
  try {
    return await new Promise<Outcome>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no answer within ${patience} ms`)), patience);
      const lines = socket.pipe(new WholeLines(LIMITS.line)).pipe(split2('\n', JSON.parse));
      lines.once('data', resolve);
      lines.once('error', reject);
      lines.once('end', () => reject(new Error('it closed the connection')));
      socket.once('error', reject);
      socket.once('close', () => clearTimeout(late));
      socket.write(`${JSON.stringify(request)}\n`);
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    refuse(
      'NODE_UNREACHABLE',
      `${node.id} at ${node.address} does not answer (${why}); start it, or mend its address`,
      {
        node: node.id,
      },
    );
  } finally {
    socket.destroy();
  }
}
