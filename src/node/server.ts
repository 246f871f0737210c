import { createServer, type Server, type Socket } from 'node:net';
import type { Address } from '../wire/address.ts';
import type { Request } from '../wire/ops.ts';
import type { Outcome } from '../wire/reply.ts';
import { Backlog } from './backlog.ts';
import { Budget } from './budget.ts';
import type { Client } from './client.ts';
import { Connection } from './connection.ts';
import { descriptorsLeft } from './descriptors.ts';
import { Guest } from './guest.ts';
import { logger } from './logger.ts';
import { sendSoon } from './loop-end.ts';
import { Newcomer } from './newcomer.ts';
import { Pieces } from './output.ts';
import type { PeerConnection, PeerSession } from './peers.ts';

/** Where the outcome of a request goes; it takes one, and ignores any more. */
export interface Responder {
  /** When whoever asked gives up, in milliseconds of `performance.now()`. */
  readonly deadline: number;
  /** Who asked; left out where the request came by way of another node. */
  readonly client?: Client;
  /** `onSent` is called when the reply is on its way, and so before anything that is pushed from then on. */
  answer(outcome: Outcome, onSent?: () => void): void;
}

/** What stands behind the lines: it answers every request once, now or later. */
export interface Service {
  readonly stage: number;
  handle(request: Request, responder: Responder): void;
}

/** What takes over the connections that other nodes open. */
export interface PeerGate {
  accept(
    hello: Readonly<Record<string, unknown>>,
    connection: PeerConnection,
  ): { readonly outcome: Outcome; readonly session?: PeerSession };
}

/** What speaks gRPC beside the lines, and shares their bounds. */
export interface GrpcGate {
  /** Takes over a connection to the lines' own address that speaks HTTP/2; left out where it has another address. */
  readonly take?: (guest: Guest) => void;
  /** Called every so often, to end what has taken too long. */
  sweep(now: number): void;
  /** Takes no further call, and lets those under way end. */
  shutDown(): void;
  close(): void;
}

export interface ServerOptions {
  /** Milliseconds after which a connection that stopped in mid-line is closed. */
  readonly idleMidLine?: number;
  /** Connections at a time; more are closed as they come, so that descriptors are left for the log. */
  readonly mostConnections?: number;
  /** Bytes of lines that all connections together may have half-sent or unanswered. */
  readonly mostReceived?: number;
  /** Characters of replies that all clients together may leave untaken. */
  readonly mostUnsent?: number;
}

/** Milliseconds between two looks at what has taken too long. */
const SWEEP = 50;
/** Milliseconds of silence after which the system asks whether the other end is still there. */
const KEEP_ALIVE = 60_000;
/** Connections that only other nodes may have: clients must not be able to keep a cluster apart. */
const RESERVE = 32;
/** Milliseconds that another node has to say that it is one, where there is no room for more clients. */
const GREETING = 1_000;
/** Descriptors that are left for files, whatever connects. */
const SPARE_DESCRIPTORS = 64;
/** Connections that are written to in one turn of the event loop. */
const MOST_FLUSHED = 1_024;
/** Milliseconds that a shutdown waits for replies under way. */
const PATIENCE = 3_000;
/** Bytes of half-sent and unanswered lines that a server holds, unless told. */
const MOST_RECEIVED = 268_435_456;
/** Characters of replies that wait for clients to take them, unless told. */
const MOST_UNSENT = 268_435_456;

/** The line protocol over TCP: accepts connections and turns their lines into requests of a service. */
export class LineServer {
  readonly service: Service;
  /** Set where the node has peers, before `listen`. */
  peers: PeerGate | undefined;
  /** Filled where the node speaks gRPC, before `listen`. */
  readonly gates: GrpcGate[] = [];
  readonly log = logger('server');
  /** For `Connection`: room for the lines that have begun and are not answered. */
  readonly received: Budget;
  /** For `Connection`: the replies that clients have not taken. */
  readonly backlog: Backlog;
  /** For `Connection`: which replies leave before the end of their turn. */
  readonly pieces = new Pieces();
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #newcomers = new Set<Newcomer>();
  /** Connections that speak HTTP/2. */
  readonly #guests = new Set<Guest>();
  readonly #idleMidLine: number;
  readonly #mostConnections: number;
  #mostClients = 0;
  #toFlush: Connection[] = [];
  #whenClientsAreGone: (() => void) | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #isClosing = false;

  constructor(service: Service, options: ServerOptions = {}) {
    this.service = service;
    this.received = new Budget(options.mostReceived ?? MOST_RECEIVED);
    this.backlog = new Backlog(options.mostUnsent ?? MOST_UNSENT);
    this.#idleMidLine = options.idleMidLine ?? 30_000;
    // Half-open, or a reply to a client that has already ended its side would be lost.
    const sockets = {
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE,
    };
    this.#server = createServer(sockets, socket => this.#accept(socket));
    this.#mostConnections = options.mostConnections ?? 16_384;
    this.#server.on('drop', () => this.log('too many connections: one closed'));
  }

  /** Clients that are connected; other nodes do not count. */
  get connections(): number {
    let clients = this.#newcomers.size;
    for (const connection of this.#connections) if (!connection.isPeer) clients += 1;
    for (const guest of this.#guests) if (!guest.isPeer) clients += 1;
    return clients;
  }

  /** For `Connection`: gRPC is spoken at the same address, as where nodes speak it to each other. */
  get takesHttp2(): boolean {
    return this.#http2Gate !== undefined;
  }

  get #http2Gate(): GrpcGate | undefined {
    return this.gates.find(each => each.take !== undefined);
  }

  /** True when only other nodes may still connect. */
  get #isFull(): boolean {
    return this.#connections.size + this.#newcomers.size + this.#guests.size >= this.#mostClients;
  }

  /** Milliseconds on a clock that never jumps. */
  now(): number {
    return performance.now();
  }

  /** Resolves with the port that was opened, which the system chooses where the address says 0. */
  listen({ host, port }: Address): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        this.#server.on('error', error => this.log('%s', error.message));
        this.#mostClients = this.#roomForConnections();
        this.#server.maxConnections = this.#mostClients + (this.peers === undefined ? 0 : RESERVE);
        this.#sweeper = setInterval(() => this.#sweep(), SWEEP).unref();
        const bound = this.#server.address();
        resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
      });
    });
  }

  /** The connections that may be open at a time: whoever comes beyond them must not keep the log from being opened. */
  #roomForConnections(): number {
    const left = descriptorsLeft() ?? Number.POSITIVE_INFINITY;
    const reserve = this.peers === undefined ? 0 : RESERVE;
    const most = Math.max(1, Math.min(this.#mostConnections, left - SPARE_DESCRIPTORS - reserve));
    this.log('takes up to %d connections', most);
    return most;
  }

  #accept(socket: Socket): void {
    const isReserve = this.#isFull;
    const gate = this.#http2Gate;
    if (gate === undefined) {
      this.#begin(socket, isReserve);
      return;
    }
    const newcomer = new Newcomer(socket, this.now(), isReserve, isHttp2 => {
      this.#newcomers.delete(newcomer);
      if (isHttp2) this.adopt(socket, isReserve, guest => gate.take?.(guest));
      else this.#begin(socket, isReserve);
    });
    this.#newcomers.add(newcomer);
    socket.on('close', () => this.#leave(this.#newcomers, newcomer));
  }

  #begin(socket: Socket, isReserve: boolean): void {
    const connection = new Connection(this, socket, isReserve);
    this.#connections.add(connection);
    socket.on('close', () => this.#leave(this.#connections, connection));
    if (this.#isClosing) connection.shutDown();
  }

  /** For the gate of gRPC: counts a connection among the others, where there is room for it. */
  adopt(socket: Socket, isReserve = this.#isFull, take: (guest: Guest) => void = () => {}): Guest {
    const guest = new Guest(socket, this.now(), isReserve, this.backlog);
    this.#guests.add(guest);
    socket.on('close', () => this.#leave(this.#guests, guest));
    if (this.#isClosing) socket.destroy();
    else take(guest);
    return guest;
  }

  #leave<Whoever>(all: Set<Whoever>, whoever: Whoever): void {
    all.delete(whoever);
    if (this.#isClosing && this.connections === 0) this.#whenClientsAreGone?.();
  }

  /** For `Connection`: flushes it when the turn of the event loop is over, so that a turn is one write, or a few. */
  flushLater(connection: Connection): void {
    if (this.#toFlush.length === 0) sendSoon(() => this.#flush());
    this.#toFlush.push(connection);
  }

  /** A thousand writes at a time: what many watch at once must not keep the others waiting. */
  #flush(): void {
    const connections = this.#toFlush.splice(0, MOST_FLUSHED);
    if (this.#toFlush.length > 0) sendSoon(() => this.#flush());
    for (const connection of connections) connection.flush();
  }

  #sweep(): void {
    const now = this.now();
    for (const connection of this.#connections) connection.sweep(now, this.#idleMidLine);
    for (const { socket, since, hasBegun, isReserve } of this.#newcomers) {
      const isLate = (isReserve && now - since > GREETING) || (hasBegun && now - since > this.#idleMidLine);
      if (isLate) socket.destroy();
    }
    for (const { socket, since, isReserve, isPeer } of this.#guests) {
      if (isReserve && !isPeer && now - since > GREETING) socket.destroy();
    }
    for (const gate of this.gates) gate.sweep(now);
  }

  /**
   * Stops accepting, lets the replies under way leave for a few seconds, and closes every connection; those of other
   * nodes last, since the replies may need them.
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    const clientsAreGone = new Promise<void>(resolve => {
      this.#whenClientsAreGone = resolve;
    });
    for (const connection of this.#connections) if (!connection.isPeer) connection.shutDown();
    for (const { socket } of this.#newcomers) socket.destroy();
    for (const gate of this.gates) gate.shutDown();
    const patience = setTimeout(() => this.#whenClientsAreGone?.(), PATIENCE);
    if (this.connections > 0) await clientsAreGone;
    clearTimeout(patience);
    for (const connection of this.#connections) connection.destroy();
    for (const { socket } of this.#guests) socket.destroy();
    await closed;
    for (const gate of this.gates) gate.close();
    clearInterval(this.#sweeper);
  }
}
