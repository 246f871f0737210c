import { createServer, type Server as NetServer } from 'node:net';
import {
  type ConnectionInjector,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import type { Address } from '../../wire/address.ts';
import { CLIENT_SERVICES, METHODS, type Method, RAFT_SERVICE, serviceOf } from '../../wire/schema.ts';
import type { Guest } from '../guest.ts';
import type { GrpcGate, LineServer } from '../server.ts';
import { Admission } from './admission.ts';
import { HEALTH_SERVICE, Health } from './health.ts';
import { type Incoming, readRequest } from './incoming.ts';
import { MOST_MESSAGE } from './limits.ts';
import type { PeerMessages } from './peer-messages.ts';
import { RaftCall } from './raft-service.ts';
import { reflected } from './reflected.ts';
import { StreamCall } from './stream-call.ts';
import { UnaryCall } from './unary-call.ts';

/** Calls that one connection may have under way; a client keeps those beyond to itself. */
const MOST_CALLS = 256;
/** Milliseconds of silence after which a client is asked whether it is still there, and that it has to answer. */
const KEEP_ALIVE = 60_000;
const KEEP_ALIVE_PATIENCE = 20_000;
/** Milliseconds that a shutdown waits for calls under way; the lines wait as long. */
const PATIENCE = 3_000;
/** The one call between nodes. */
const CONVERSE = `/${RAFT_SERVICE}/Converse`;
/** Milliseconds between two looks at the node's health. */
const CHECK = 500;

/** A call under way that a deadline ends. */
interface Ending {
  readonly deadline: number;
  readonly isAnswered: boolean;
  timeOut(): void;
}

/** The services of a node over gRPC, on connections that are handed to it: its calls become requests of the service. */
export class GrpcServer implements GrpcGate {
  readonly #server: LineServer;
  readonly #grpc: Server;
  readonly #injector: ConnectionInjector;
  readonly #admission: Admission;
  readonly #health: Health;
  readonly #guests = new Map<string, Guest>();
  readonly #calls = new Set<Ending>();
  readonly #streams = new Set<StreamCall>();
  #checkedAt = 0;
  #isEnding = false;
  #isQuiet = false;

  /** `hasPeers`: offers the service between nodes, too. */
  constructor(server: LineServer, hasPeers: boolean) {
    this.#server = server;
    this.#admission = new Admission(
      () => server.now(),
      (path, peer) => this.#hasRoom(path, peer),
    );
    this.#health = new Health(server);
    this.#grpc = new Server({
      'grpc.enable_channelz': 0,
      'grpc.max_receive_message_length': MOST_MESSAGE,
      'grpc.max_send_message_length': -1,
      'grpc.max_concurrent_streams': MOST_CALLS,
      'grpc.keepalive_time_ms': KEEP_ALIVE,
      'grpc.keepalive_timeout_ms': KEEP_ALIVE_PATIENCE,
      interceptors: [this.#admission.interceptor],
    });
    for (const method of METHODS) this.#register(method);
    if (hasPeers) {
      this.#grpc.addService(serviceOf(RAFT_SERVICE), {
        Converse: (call: ServerDuplexStream<PeerMessages, PeerMessages>) => this.#converse(call),
      });
    }
    this.#health.addTo(this.#grpc);
    const services = [...CLIENT_SERVICES, ...(hasPeers ? [RAFT_SERVICE] : []), HEALTH_SERVICE];
    new ReflectionService(reflected(), { services }).addToServer(this.#grpc);
    this.#injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
  }

  #register(method: Method): void {
    const { path, responseStream } = method.definition;
    const handle: UntypedHandleCall = responseStream
      ? (call: ServerWritableStream<Incoming, Buffer>) => {
          const stream = new StreamCall(method, call, this.#server, this.#guests.get(call.getPeer()));
          this.#begun(stream);
          if (stream.isOver) return;
          this.#streams.add(stream);
          call.once('close', () => this.#streams.delete(stream));
        }
      : (call: ServerUnaryCall<Incoming, Buffer>, done: sendUnaryData<Buffer>) => {
          this.#begun(new UnaryCall(method, call, done, this.#server, this.#guests.get(call.getPeer())));
        };
    const read = (bytes: Buffer) => readRequest(method, bytes);
    const type = responseStream ? 'serverStream' : 'unary';
    this.#grpc.register(path, handle, (bytes: Buffer) => bytes, read, type);
  }

  /** A connection beyond the clients' number is for another node alone; whoever else asks on it is cut off. */
  #hasRoom(path: string, peer: string): boolean {
    const guest = this.#guests.get(peer);
    if (guest?.isReserve !== true || path === CONVERSE) return true;
    guest.cutOff();
    return false;
  }

  #begun(call: Ending): void {
    if (!call.isAnswered) this.#calls.add(call);
  }

  #converse(call: ServerDuplexStream<PeerMessages, PeerMessages>): void {
    const { peers } = this.#server;
    if (peers === undefined) call.destroy();
    else new RaftCall(call, peers, this.#guests.get(call.getPeer()));
  }

  /** Takes over a connection. */
  take(guest: Guest): void {
    const { name, socket } = guest;
    this.#guests.set(name, guest);
    socket.once('close', () => this.#guests.delete(name));
    this.#injector.injectConnection(socket);
  }

  sweep(now: number): void {
    for (const call of this.#calls) {
      if (call.deadline <= now) call.timeOut();
      if (call.isAnswered) this.#calls.delete(call);
    }
    this.#admission.sweep(now);
    if (this.#isEnding) this.#sendAway();
    if (now - this.#checkedAt < CHECK) return;
    this.#checkedAt = now;
    this.#health.check();
  }

  /**
   * Ends the connections that are owed nothing more; a watch of the health service would stay for ever. A call is over
   * shortly before its status leaves, so that nothing may have been under way at the look before, either.
   */
  #sendAway(): void {
    const wasQuiet = this.#isQuiet;
    this.#isQuiet = this.#calls.size === 0 && this.#streams.size === 0;
    if (!wasQuiet || !this.#isQuiet) return;
    for (const { socket, isPeer, hasTakenAll } of this.#guests.values()) {
      if (!isPeer && hasTakenAll) socket.end();
    }
  }

  shutDown(): void {
    this.#isEnding = true;
    this.#health.shutDown();
    for (const stream of this.#streams) stream.shutDown();
    this.#injector.drain(PATIENCE);
  }

  close(): void {
    this.#grpc.forceShutdown();
  }
}

/** The services for clients at an address of their own. */
export class GrpcListener implements GrpcGate {
  readonly #server: LineServer;
  readonly #grpc: GrpcServer;
  readonly #listener: NetServer;

  constructor(server: LineServer) {
    this.#server = server;
    this.#grpc = new GrpcServer(server, false);
    this.#listener = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE });
    this.#listener.on('connection', socket => {
      socket.on('error', error => server.log('%s', error.message));
      const guest = this.#server.adopt(socket);
      if (guest.isReserve) guest.cutOff();
      if (!socket.destroyed) this.#grpc.take(guest);
    });
  }

  /** Resolves with the port that was opened, which the system chooses where the address says 0. */
  listen({ host, port }: Address): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#listener.once('error', reject);
      this.#listener.listen(port, host, () => {
        this.#listener.off('error', reject).on('error', error => this.#server.log('%s', error.message));
        const bound = this.#listener.address();
        resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
      });
    });
  }

  sweep(now: number): void {
    this.#grpc.sweep(now);
  }

  shutDown(): void {
    this.#listener.close();
    this.#grpc.shutDown();
  }

  close(): void {
    this.#grpc.close();
  }
}
