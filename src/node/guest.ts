import type { Socket } from 'node:net';
import type { Backlog, Taker } from './backlog.ts';

/** A connection that speaks HTTP/2, as far as it counts among the others of its node. */
export class Guest implements Taker {
  readonly socket: Socket;
  readonly since: number;
  /** Beyond the clients' number: only another node may have it. */
  readonly isReserve: boolean;
  /** Another node has been accepted on it. */
  isPeer = false;
  readonly #backlog: Backlog;
  #untaken = 0;

  constructor(socket: Socket, now: number, isReserve: boolean, backlog: Backlog) {
    this.socket = socket;
    this.since = now;
    this.isReserve = isReserve;
    this.#backlog = backlog;
    socket.on('close', () => backlog.count(this, 0));
  }

  /** Its address, as gRPC names the other end of a call. */
  get name(): string {
    return `${this.socket.remoteAddress}:${this.socket.remotePort}`;
  }

  /** So many more bytes of replies wait for it, or, below 0, so many fewer. */
  owes(bytes: number): void {
    this.#untaken += bytes;
    if (!this.socket.destroyed) this.#backlog.count(this, this.#untaken);
  }

  /** True when it has taken all that it was sent. */
  get hasTakenAll(): boolean {
    return this.#untaken === 0;
  }

  cutOff(): void {
    this.socket.destroy();
  }
}
