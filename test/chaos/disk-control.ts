import { createServer, type Server, type Socket } from 'node:net';
import split2 from 'split2';
import type { DiskOrders } from './disk-orders.ts';

/** Milliseconds that a process has to follow an order. */
const PATIENCE = 5_000;

/** Gives orders to the disks of nodes, each through the module that was loaded into the node's process. */
export class DiskControl {
  readonly path: string;
  readonly #server: Server;
  readonly #disks = new Map<string, Socket>();
  readonly #waiting = new Map<Socket, () => void>();

  constructor(path: string) {
    this.path = path;
    this.#server = createServer(socket => this.#take(socket));
  }

  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(this.path, () => resolve());
    });
  }

  /** Resolves when the process does so; or at once, when it does not run, or is gone by then. */
  order(node: string, orders: DiskOrders): Promise<void> {
    const socket = this.#disks.get(node);
    if (socket === undefined) return Promise.resolve();
    return new Promise(resolve => {
      const timer = setTimeout(resolve, PATIENCE);
      this.#waiting.set(socket, () => {
        clearTimeout(timer);
        resolve();
      });
      socket.write(`${JSON.stringify(orders)}\n`);
    });
  }

  async close(): Promise<void> {
    const closed = new Promise(resolve => this.#server.close(resolve));
    for (const socket of this.#disks.values()) socket.destroy();
    await closed;
  }

  #take(socket: Socket): void {
    let node: string | undefined;
    socket.on('error', () => {});
    socket.pipe(split2()).on('data', (line: string) => {
      if (node === undefined) {
        node = line;
        this.#disks.set(node, socket);
      } else this.#followed(socket);
    });
    socket.on('close', () => {
      if (node !== undefined && this.#disks.get(node) === socket) this.#disks.delete(node);
      this.#followed(socket);
    });
  }

  #followed(socket: Socket): void {
    const done = this.#waiting.get(socket);
    this.#waiting.delete(socket);
    done?.();
  }
}
