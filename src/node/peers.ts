import { createHash } from 'node:crypto';
import type { Codec, Parcel, Transport, TransportListener } from '../ports/transport.ts';
import type { NodeAddress } from '../wire/address.ts';
import { failure } from '../wire/errors.ts';
import { failed, type Outcome } from '../wire/reply.ts';
import { shortened } from '../wire/text.ts';
import { logger } from './log.ts';
import { ParcelReader } from './parcel.ts';

const log = logger('peers');

/** An accepted connection of another node, as its server sees it. */
export interface PeerConnection {
  destroy(): void;
  /** Where the transport has a way back to whoever asked: takes what is an answer, or says that it does not. */
  answer?(parcel: Parcel): boolean;
}

/** What becomes of what an accepted connection brings. */
export interface PeerSession {
  /** A line of a parcel. */
  line(text: string): void;
  receive(parcel: Parcel): void;
  closed(): void;
}

/** The first words on a connection between nodes: who calls whom, in which cluster. */
export interface Handshake {
  readonly op: 'peer';
  readonly protocol: 1;
  readonly cluster: string;
  readonly from: string;
  readonly to: string;
}

/** A way to another node, which opens itself again whenever it breaks. */
export interface PeerLink {
  readonly isUp: boolean;
  /** Sends, or drops: false when it is known at once that the parcel will not arrive. */
  send(parcel: Parcel): boolean;
  /** Breaks the connection that stands, for one that opens afresh. */
  reset(): void;
  close(): void;
}

export interface LinkEvents {
  up(): void;
  down(): void;
  /** An answer came back on the same connection. */
  answered(parcel: Parcel): void;
}

/** Opens a way to another node: what the transports `lines` and `grpc` differ in. */
export type Dial = (peer: NodeAddress, handshake: Handshake, events: LinkEvents) => PeerLink;

export interface PeersOptions {
  readonly id: string;
  readonly cluster: string;
  readonly dial: Dial;
}

/**
 * The other nodes: a connection for each direction between two of them, beside the clients' on the same port. It
 * opens with a handshake, whichever transport it uses.
 */
export class Peers<Message> implements Transport<Message> {
  readonly #options: PeersOptions;
  readonly #codec: Codec<Message>;
  readonly #listener: TransportListener<Message>;
  readonly #links = new Map<string, PeerLink>();
  readonly #accepted = new Map<string, PeerConnection>();

  constructor(options: PeersOptions, codec: Codec<Message>, listener: TransportListener<Message>) {
    this.#options = options;
    this.#codec = codec;
    this.#listener = listener;
  }

  /** Dials a node, and keeps dialling it until `close`. */
  open(peer: NodeAddress): void {
    const { id: from, cluster, dial } = this.#options;
    const handshake: Handshake = { op: 'peer', protocol: 1, cluster, from, to: peer.id };
    let session: PeerSession | undefined;
    const link = dial(peer, handshake, {
      up: () => this.#listener.onLinkUp(peer.id),
      down: () => this.#listener.onLinkDown(peer.id),
      answered: parcel => session?.receive(parcel),
    });
    session = this.#session(peer.id, { destroy: () => link.reset() }, () => {});
    this.#links.set(peer.id, link);
  }

  send(to: string, message: Message): boolean {
    const parcel = this.#codec.encode(message);
    if (this.#accepted.get(to)?.answer?.(parcel) === true) return true;
    return this.#links.get(to)?.send(parcel) === true;
  }

  isUp(to: string): boolean {
    return this.#links.get(to)?.isUp === true;
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
    for (const connection of this.#accepted.values()) connection.destroy();
  }

  /** Answers a handshake; with a session when it is accepted. A node that calls again replaces its old connection. */
  accept(
    hello: Readonly<Record<string, unknown>>,
    connection: PeerConnection,
  ): { outcome: Outcome; session?: PeerSession } {
    const { id, cluster } = this.#options;
    const { protocol, from } = hello;
    const objection = this.#objection(hello);
    if (objection !== undefined || typeof from !== 'string') {
      log('refused a node: %s', objection);
      return { outcome: failed(failure('CLUSTER_MISMATCH', objection ?? 'it does not say who it is')) };
    }
    this.#accepted.get(from)?.destroy();
    this.#accepted.set(from, connection);
    const closed = () => {
      if (this.#accepted.get(from) === connection) this.#accepted.delete(from);
    };
    const outcome: Outcome = { ok: true, rev: 0, node: id, cluster, protocol };
    // What it answered while its way here was broken is lost, and will have to be asked again.
    this.#listener.onLinkUp(from);
    return { outcome, session: this.#session(from, connection, closed) };
  }

  #objection({ protocol, cluster, from, to }: Readonly<Record<string, unknown>>): string | undefined {
    const here = this.#options;
    if (protocol !== 1) return `${here.id} speaks version 1 of the peer protocol, not ${named(protocol)}`;
    if (cluster !== here.cluster)
      return `${here.id} belongs to cluster ${here.cluster}, not ${named(cluster)}`;
    if (to !== here.id) return `this is ${here.id}, not ${named(to)}`;
    if (typeof from !== 'string' || !this.#links.has(from)) {
      return `${here.id} knows no node ${named(from)} in its cluster`;
    }
    return undefined;
  }

  #session(from: string, connection: PeerConnection, closed: () => void): PeerSession {
    const reader = new ParcelReader();
    const take = (parcelOf: () => Parcel | undefined): void => {
      let message: Message | undefined;
      try {
        const parcel = parcelOf();
        if (parcel !== undefined) message = this.#codec.decode(parcel.header, parcel.lines);
      } catch (error) {
        log('%s sent what is no message (%s): its connection is closed', from, error);
        connection.destroy();
      }
      if (message !== undefined) this.#listener.onMessage(from, message);
    };
    return {
      line: text => take(() => reader.take(text)),
      receive: parcel => take(() => parcel),
      closed,
    };
  }
}

/** What a stranger says he is, fit for an error message: it may be anything, of any size and depth. */
function named(said: unknown): string {
  return typeof said === 'string' ? JSON.stringify(shortened(said)) : `a ${typeof said}`;
}

/** The cluster id of nodes that were all given the same list: the same at each, whatever the order of the list. */
export function clusterOf(nodes: readonly NodeAddress[]): string {
  const text = nodes
    .map(({ id, address }) => `${id}=${address}`)
    .sort()
    .join(',');
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
