import { createHash } from 'node:crypto';
import type { Codec, Transport, TransportListener } from '../ports/transport.ts';
import type { NodeAddress } from '../wire/address.ts';
import { failure } from '../wire/errors.ts';
import { failed, type Outcome } from '../wire/reply.ts';
import { shortened } from '../wire/text.ts';
import { type Handshake, Link } from './link.ts';
import { logger } from './log.ts';
import { textOf } from './parcel.ts';

const log = logger('peers');

/** Lines that one message may have behind its header. */
const MOST_LINES = 65_536;
/** Characters that one message may have; a leader's batch is far below, save for one entry that may be a whole line. */
const MOST_CHARACTERS = 8_388_608;

/** An accepted connection of another node, as its server sees it. */
export interface PeerConnection {
  destroy(): void;
}

/** What becomes of the lines of an accepted connection. */
export interface PeerSession {
  line(text: string): void;
  closed(): void;
}

export interface PeersOptions {
  readonly id: string;
  readonly cluster: string;
  /** An HTTP proxy to dial through; see `NodeOptions`. */
  readonly proxy: string | undefined;
}

/**
 * The `lines` transport: a connection for each direction between two nodes, beside the clients' on the same port.
 * It opens with a handshake; then each message is a header line and the lines it announces.
 */
export class Peers<Message> implements Transport<Message> {
  readonly #options: PeersOptions;
  readonly #codec: Codec<Message>;
  readonly #listener: TransportListener<Message>;
  readonly #links = new Map<string, Link>();
  readonly #accepted = new Map<string, PeerConnection>();

  constructor(options: PeersOptions, codec: Codec<Message>, listener: TransportListener<Message>) {
    this.#options = options;
    this.#codec = codec;
    this.#listener = listener;
  }

  /** Dials a node, and keeps dialling it until `close`. */
  open(peer: NodeAddress): void {
    const { id: from, cluster, proxy } = this.#options;
    const handshake: Handshake = { op: 'peer', protocol: 1, cluster, from, to: peer.id };
    const events = {
      up: () => this.#listener.onLinkUp(peer.id),
      down: () => this.#listener.onLinkDown(peer.id),
    };
    this.#links.set(peer.id, new Link(peer, handshake, proxy, events));
  }

  send(to: string, message: Message): boolean {
    const link = this.#links.get(to);
    return link?.send(textOf(this.#codec.encode(message))) === true;
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
    let header: Readonly<Record<string, unknown>> | undefined;
    let awaited = 0;
    let lines: string[] = [];
    let size = 0;
    /** The message that this line completes, if it does. */
    const take = (text: string): Message | undefined => {
      if (header === undefined) {
        const parsed: unknown = JSON.parse(text);
        if (typeof parsed !== 'object' || parsed === null) throw new Error('a header is an object');
        const { lines: announced = 0, ...fields } = parsed as Readonly<Record<string, unknown>>;
        header = fields;
        awaited = Number(announced);
        if (!(awaited >= 0 && awaited <= MOST_LINES)) throw new Error('too many lines for one message');
      } else lines.push(text);
      size += text.length;
      if (size > MOST_CHARACTERS) throw new Error('too large for one message');
      if (lines.length < awaited) return undefined;
      const message = this.#codec.decode(header, lines);
      header = undefined;
      lines = [];
      size = 0;
      return message;
    };
    const line = (text: string): void => {
      let message: Message | undefined;
      try {
        message = take(text);
      } catch (error) {
        log('%s sent what is no message (%s): its connection is closed', from, error);
        connection.destroy();
      }
      if (message !== undefined) this.#listener.onMessage(from, message);
    };
    return { line, closed };
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
