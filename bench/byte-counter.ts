import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createWay, type Socket } from 'node:net';
import { formatAddress, parseAddress } from '../src/wire/address.ts';

/**
 * Counts the bytes of connections that go through it: an HTTP proxy (CONNECT), as the lab has between its nodes; what
 * is no HTTP goes to one server that it was given. What TCP and IP add to the bytes is not counted.
 */
export class ByteCounter {
  bytes = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor() {
    this.#server = createServer();
    this.#server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      socket.write('HTTP/1.1 200 Connected\r\n\r\n');
      this.#join(socket, request.url ?? '', head);
    });
  }

  /** Resolves with the port that it listens on. */
  listen(): Promise<number> {
    return new Promise(resolve => {
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  /** Opens a way to a server, through the counter; `address` is where it begins. */
  async wayTo(target: string): Promise<{ readonly address: string; close(): void }> {
    const way = createWay(socket => this.#join(socket, target, Buffer.alloc(0)));
    await new Promise<void>(resolve => way.listen(0, '127.0.0.1', resolve));
    const { port } = way.address() as AddressInfo;
    return { address: formatAddress({ host: '127.0.0.1', port }), close: () => way.close() };
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near: Socket, target: string, head: Buffer): void {
    const far = connect({ ...parseAddress(target), noDelay: true });
    near.setNoDelay(true);
    this.bytes += head.length;
    far.write(head);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on('data', chunk => {
        this.bytes += chunk.length;
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
