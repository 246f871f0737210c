import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import split2 from 'split2';
import type { RunningNode } from '../../src/node/options.ts';
import { parseAddress } from '../../src/wire/address.ts';
import { start } from '../../stages/0-kv/server.ts';

/** A real node of stage 0; at a given address, one that was left by another. */
export function startNode(address = '127.0.0.1:0'): Promise<RunningNode> {
  return start({ id: 'n1', listen: parseAddress(address) });
}

/** A request as a scripted server reads it. */
export interface Heard {
  readonly id: number;
  readonly op: string;
  readonly timeout: number;
  readonly [field: string]: unknown;
}

/** A server that does what a test says, and remembers what it was asked. */
export interface Scripted {
  readonly address: string;
  readonly heard: Heard[];
  readonly sockets: Set<Socket>;
  /** Resolves once so many requests have been heard. */
  hears(count: number): Promise<void>;
  close(): Promise<void>;
}

export const OK = { ok: true, rev: 1, key: '/k', value: 'v', create: 1, mod: 1, version: 1 };

export function reply(socket: Socket, id: number, body: object = OK): void {
  socket.write(`${JSON.stringify({ id, ...body })}\n`);
}

export function refusal(code: string, definite: boolean, retry: boolean, details: object = {}): object {
  return { ok: false, error: { code, message: `${code} it is`, definite, retry, ...details } };
}

/**
 * Listens on a free port and calls `act` for each request; `act` that is null leaves every byte unread. Unless it
 * `hasSessions`, it says itself that it has none, as the first stages do, and counts no such request.
 */
export async function scripted(
  act: ((request: Heard, socket: Socket, nth: number) => void) | null,
  { hasSessions = false } = {},
): Promise<Scripted> {
  const heard: Heard[] = [];
  const sockets = new Set<Socket>();
  const waiting: { count: number; resolve: () => void }[] = [];
  const server = createServer({ pauseOnConnect: act === null, noDelay: true }, socket => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    if (act === null) return;
    socket.pipe(split2('\n')).on('data', (line: string) => {
      const request = JSON.parse(line) as Heard;
      if (request.op === 'session' && !hasSessions) {
        reply(socket, request.id, refusal('WRONG_STAGE', true, false));
        return;
      }
      heard.push(request);
      act(request, socket, heard.length);
      for (const one of waiting) if (heard.length >= one.count) one.resolve();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
  return {
    address: `127.0.0.1:${port}`,
    heard,
    sockets,
    hears: count =>
      new Promise(resolve => {
        if (heard.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** An address where nothing listens. */
export async function deadAddress(): Promise<string> {
  const server = await scripted(null);
  await server.close();
  return server.address;
}

/** The error that a promise rejects with. */
export async function failureOf<E = Error>(promise: Promise<unknown>): Promise<E> {
  const value = await promise.then(
    result => ({ result }),
    (error: E) => ({ error }),
  );
  if ('error' in value) return value.error;
  throw new Error(`it did not fail, but came to ${JSON.stringify(value.result)}`);
}

/** Everything that an iterator brings. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
