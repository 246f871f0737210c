import type { Socket } from 'node:net';
import { shortened } from '../src/wire/text.ts';
import { reasonOf } from './roster.ts';

/** With what a server of HTTP/2 begins: a frame of settings (RFC 9113 §3.4), its length, type, flags and stream. */
const SETTINGS = /^\0\0.\x04\0\0\0\0\0/s;

/** Whether a line that is no JSON is the beginning of one, with which its node has ended: it counts for nothing. */
export function isCutOff(line: string, socket: Socket): boolean {
  return line.startsWith('{') && (socket.readableEnded || socket.destroyed);
}

/** Of a node that sent a line which is no JSON: what it speaks, in words that follow its address. */
export function notLines(line: string): string {
  if (SETTINGS.test(line)) return 'speaks gRPC, and no lines: put grpc:// before its address';
  return `does not speak this protocol: it sent ${JSON.stringify(shortened(line, 40))}`;
}

/** Why there is no connection over gRPC to a node that has never answered on it, in words that follow its address. */
export function notGrpc(error: Error): string {
  const why = reasonOf(error);
  const { code } = error as NodeJS.ErrnoException;
  // A port for lines takes the connection, and closes it at the first bytes of HTTP/2.
  const isDropped = code === 'EPIPE' || code === 'ECONNRESET';
  return isDropped ? `${why}: where it speaks lines alone, leave out grpc://` : why;
}
