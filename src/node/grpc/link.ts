import {
  Client,
  type ClientDuplexStream,
  connectivityState,
  credentials,
  logVerbosity,
  Metadata,
  type ServiceError,
  setLogVerbosity,
} from '@grpc/grpc-js';
import type { Parcel } from '../../ports/transport.ts';
import type { NodeAddress } from '../../wire/address.ts';
import { failureIn } from '../../wire/grpc-status.ts';
import type { Message } from '../../wire/messages.ts';
import type { Handshake } from '../handshake.ts';
import { logger } from '../logger.ts';
import type { Dial, LinkEvents, PeerLink } from '../peers.ts';
import { FIRST_WAIT, LONGEST_WAIT, Tries } from '../tries.ts';
import { MOST_MESSAGE } from './limits.ts';
import { Outbox } from './outbox.ts';
import { CONVERSE, decodeParcel, type PeerMessages } from './peer-messages.ts';

/** Milliseconds that a try may take, from dialling to the connection, and from there to the welcome. */
const PATIENCE = 2_000;
/** Milliseconds of silence after which the other end is asked whether it is still there, and that it has to answer. */
const KEEP_ALIVE = 2_000;
const KEEP_ALIVE_PATIENCE = 2_000;

const log = logger('grpc');
// What goes wrong on the way to a node is told in our own words.
setLogVerbosity(logVerbosity.NONE);

type Stream = ClientDuplexStream<PeerMessages, PeerMessages>;

/** The `grpc` transport, through an HTTP proxy where one is named. */
export function dialGrpc(proxy: string | undefined): Dial {
  return (peer, handshake, events) => new GrpcLink(peer, handshake, proxy, events);
}

/**
 * The way from this node to one other: a call that carries this node's messages up and the answers to them down,
 * opened with a greeting, and opened again, with growing and random waits, whenever it breaks.
 */
export class GrpcLink implements PeerLink {
  readonly #peer: NodeAddress;
  readonly #handshake: Handshake;
  readonly #proxy: URL | undefined;
  readonly #events: LinkEvents;
  readonly #tries: Tries;
  #client: Client | undefined;
  #stream: Stream | undefined;
  #outbox: Outbox | undefined;
  #patience: NodeJS.Timeout | undefined;
  #isUp = false;
  #isClosed = false;

  constructor(peer: NodeAddress, handshake: Handshake, proxy: string | undefined, events: LinkEvents) {
    this.#peer = peer;
    this.#handshake = handshake;
    this.#proxy = proxy === undefined ? undefined : new URL(proxy);
    this.#events = events;
    this.#tries = new Tries(peer, () => this.#call());
    this.#call();
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /**
   * Queues a message for the end of the turn; false when the link is down or its peer takes too little. While the
   * welcome is on its way, messages wait for it: the peer may have welcomed us already, and have asked.
   */
  send(parcel: Parcel): boolean {
    if (!this.#isUp && !this.#isConnected) return false;
    return this.#outbox?.send(parcel) === true;
  }

  get #isConnected(): boolean {
    return this.#client?.getChannel().getConnectivityState(false) === connectivityState.READY;
  }

  reset(): void {
    if (this.#stream !== undefined) this.#broken(this.#stream, 'reset');
  }

  close(): void {
    this.#isClosed = true;
    this.#tries.stop();
    clearTimeout(this.#patience);
    this.#stream?.cancel();
    this.#client?.close();
  }

  /** A call that waits until there is a connection; the channel dials for it, with waits of its own. */
  #call(): void {
    this.#client ??= new Client(this.#target, credentials.createInsecure(), this.#channelOptions);
    const stream: Stream = this.#client.makeBidiStreamRequest(
      CONVERSE.path,
      CONVERSE.requestSerialize as (messages: PeerMessages) => Buffer,
      CONVERSE.responseDeserialize as (bytes: Buffer) => PeerMessages,
      new Metadata({ waitForReady: true }),
    );
    this.#stream = stream;
    this.#outbox = new Outbox(stream);
    this.#watch(stream);
    stream.on('data', (messages: PeerMessages) => this.#take(stream, messages));
    stream.on('error', (error: ServiceError) => this.#failed(stream, error));
    stream.on('end', () => this.#broken(stream, 'closed'));
    const { op, ...greeting } = this.#handshake;
    stream.write({ messages: [{ greeting }] });
  }

  /** Ends a try that hangs; one that is refused or turned away goes on by itself. */
  #watch(stream: Stream): void {
    this.#patience = setTimeout(() => {
      const state = this.#client?.getChannel().getConnectivityState(false);
      if (state === connectivityState.READY) this.#broken(stream, 'no answer');
      // A proxy answers in its own time, and a question to it cannot be taken back: there keep-alive has to do.
      else if (state === connectivityState.CONNECTING && this.#proxy === undefined) {
        this.#client?.close();
        this.#client = undefined;
        this.#broken(stream, 'no connection');
      } else this.#watch(stream);
    }, PATIENCE).unref();
  }

  get #target(): string {
    return `dns:${this.#proxy?.host ?? this.#peer.address}`;
  }

  get #channelOptions(): Record<string, string | number> {
    const options = {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.initial_reconnect_backoff_ms': FIRST_WAIT,
      'grpc.max_reconnect_backoff_ms': LONGEST_WAIT,
      'grpc.enable_http_proxy': 0,
      'grpc.enable_channelz': 0,
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.max_send_message_length': MOST_MESSAGE,
      'grpc.max_receive_message_length': MOST_MESSAGE,
      'grpc.keepalive_time_ms': KEEP_ALIVE,
      'grpc.keepalive_timeout_ms': KEEP_ALIVE_PATIENCE,
      'grpc-node.flow_control_window': MOST_MESSAGE,
    };
    if (this.#proxy === undefined) return options;
    return {
      ...options,
      'grpc.http_connect_target': `dns:${this.#peer.address}`,
      'grpc.http_connect_creds': `${decodeURIComponent(this.#proxy.username)}:`,
    };
  }

  #take(stream: Stream, { messages = [] }: PeerMessages): void {
    for (const message of messages) {
      if (stream !== this.#stream) return;
      if (message.welcome !== undefined) this.#welcomed();
      else if (this.#isUp) this.#answered(stream, message);
      else this.#broken(stream, 'it did not greet');
    }
  }

  #answered(stream: Stream, message: Message): void {
    let parcel: Parcel;
    try {
      parcel = decodeParcel(message);
    } catch (error) {
      this.#broken(stream, `it sent what is no message (${error})`);
      return;
    }
    this.#events.answered(parcel);
  }

  #welcomed(): void {
    if (this.#isUp) return;
    clearTimeout(this.#patience);
    log('up: %s at %s', this.#peer.id, this.#peer.address);
    this.#isUp = true;
    this.#tries.succeeded();
    this.#events.up();
    this.#outbox?.open();
  }

  #failed(stream: Stream, error: ServiceError): void {
    if (stream !== this.#stream) return;
    const refusal = failureIn(error.details, name => error.metadata.get(name)[0]?.toString());
    // A node that waits for its cluster, or has yet to hear of us, will not for long.
    if (refusal !== undefined && !refusal.retry) this.#tries.refused(refusal.message);
    this.#broken(stream, error.details);
    if (refusal !== undefined) this.#events.refused?.(refusal);
  }

  #broken(stream: Stream, reason: string): void {
    if (stream !== this.#stream) return;
    const wasUp = this.#isUp;
    const hasLost = wasUp || this.#outbox?.isEmpty === false;
    clearTimeout(this.#patience);
    this.#isUp = false;
    this.#stream = undefined; // whatever else the broken try reports is about the past
    this.#outbox = undefined;
    stream.cancel();
    if (this.#isClosed) return;
    if (wasUp) log('down: %s (%s)', this.#peer.id, reason);
    this.#tries.again();
    if (hasLost) this.#events.down();
  }
}
