import type { Address } from '../src/wire/address.ts';
import { formatAddress } from '../src/wire/address.ts';
import type { BackupReply } from './backup.ts';
import { localError, replyError } from './client-error.ts';
import { GrpcCalls } from './grpc-calls.ts';
import { notGrpc } from './mistaken.ts';
import { reasonOf } from './roster.ts';

/** As `backUp`, over gRPC. */
export async function* backUpOverGrpc(
  address: Address,
  timeout: number,
): AsyncGenerator<string, BackupReply, void> {
  const name = formatAddress(address);
  const circumstances = { op: 'backup', address: name };
  const calls = new GrpcCalls(address, { opened: () => {}, lost: () => {} });
  let isBegun = false;
  try {
    for await (const said of calls.all({ op: 'backup', timeout })) {
      if ('failure' in said) throw replyError(said.failure, 'backup', name, '');
      if (said.hash !== undefined) return { ok: true, ...said } as unknown as BackupReply;
      isBegun = true;
      if (typeof said.chunk === 'string') yield said.chunk;
    }
    throw new Error('it ended the call');
  } catch (error) {
    if (!(error instanceof Error) || error.name === 'ClientError') throw error;
    if (!isBegun)
      throw localError('NODE_UNREACHABLE', `${name} cannot be reached: it ${notGrpc(error)}`, circumstances);
    const words = `${name} broke off in the middle: it ${reasonOf(error)}; try again`;
    throw localError('LEADER_LOST', words, circumstances, { definite: true });
  } finally {
    calls.close();
  }
}
