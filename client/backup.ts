import { connect } from 'node:net';
import split2 from 'split2';
import { type Address, formatAddress } from '../src/wire/address.ts';
import type { Failure } from '../src/wire/errors.ts';
import type { Success } from '../src/wire/reply.ts';
import { localError, replyError } from './client-error.ts';
import { isCutOff, notLines } from './mistaken.ts';

/** Milliseconds that a node has to answer the dial. */
const DIAL = 2_000;
/** Characters of a line that a node may send: a chunk, in which every character may be escaped. */
const MOST = 16_777_216;

/** What a node says when a backup is whole. */
export interface BackupReply extends Success {
  readonly applied: number;
  readonly hash: string;
}

interface Said {
  readonly chunk?: unknown;
  readonly ok?: unknown;
  readonly error?: Failure;
}

/** What a line says; undefined when it is the beginning of one, and no more comes. */
function read(
  line: string,
  mayBeCutOff: boolean,
  circumstances: { readonly op: string; readonly address: string },
): Said | undefined {
  try {
    return JSON.parse(line) as Said;
  } catch {
    if (mayBeCutOff) return undefined;
    throw localError('NODE_UNREACHABLE', `${circumstances.address} ${notLines(line)}`, circumstances);
  }
}

/**
 * Asks one node for a backup, over a connection of its own, and hands on its chunks as they come, no faster than they
 * are taken. Throws a `ClientError` where it ends before the reply.
 */
export async function* backUp(
  address: Address,
  timeout: number,
  isGrpc = false,
): AsyncGenerator<string, BackupReply, void> {
  if (isGrpc) {
    const { backUpOverGrpc } = await import('./grpc-backup.ts');
    return yield* backUpOverGrpc(address, timeout);
  }
  const name = formatAddress(address);
  const socket = connect({ ...address, noDelay: true });
  const circumstances = { op: 'backup', address: name };
  let failed: Error | undefined;
  socket.setTimeout(DIAL, () => socket.destroy(new Error(`no connection within ${DIAL} ms`)));
  socket.once('connect', () =>
    socket.setTimeout(timeout, () => socket.destroy(new Error('nothing more came'))),
  );
  socket.on('error', error => {
    failed = error;
  });
  socket.write(`${JSON.stringify({ op: 'backup', timeout })}\n`);
  const lines = socket.pipe(split2('\n', { maxLength: MOST }));
  socket.once('close', () => lines.end());
  lines.on('error', error => {
    failed = error;
  });
  let isBegun = false;
  try {
    for await (const line of lines as AsyncIterable<string>) {
      const mayBeCutOff = lines.readableLength === 0 && isCutOff(line, socket);
      const said = read(line, mayBeCutOff, circumstances);
      isBegun = true;
      if (said === undefined) break;
      if (said.ok === true) return said as unknown as BackupReply;
      if (said.error !== undefined) throw replyError(said.error, 'backup', name, line);
      if (typeof said.chunk === 'string') yield said.chunk;
    }
  } finally {
    socket.destroy();
  }
  const why = failed?.message ?? 'it closed the connection';
  if (!isBegun) throw localError('NODE_UNREACHABLE', `${name} cannot be reached (${why})`, circumstances);
  throw localError('LEADER_LOST', `${name} broke off in the middle (${why}); try again`, circumstances, {
    definite: true,
  });
}
