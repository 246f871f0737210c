import { createHash } from 'node:crypto';
import type { Codec, Parcel, Transport, TransportListener } from '../ports/transport.ts';
import { isNodeId, type NodeAddress, parseAddress } from '../wire/address.ts';
import { type Failure, failure } from '../wire/errors.ts';
import { failed, type Outcome } from '../wire/reply.ts';
import { entryOf } from '../wire/table.ts';
import { type Acquaintance, changed, greeting, type Handshake, misdialled, unknown } from './handshake.ts';
import { logger } from './logger.ts';
import { ParcelReader } from './parcel.ts';

/** Milliseconds for which a node that is a member no more may still answer what it was asked, and be answered. */
const LINGER = 1_000;

const log = logger('peers');

/** An accepted connection of another node, as its server sees it. */
export interface PeerConnection {
  /** It speaks lines, at a node that dials others over gRPC: what it brings could not be answered. */
  readonly isMisspoken?: boolean;
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
  /** The node at the other end refused the handshake, for a reason that will not pass by itself. */
  refused?(error: Readonly<Record<string, unknown>>): void;
  /** An answer came back on the same connection. */
  answered(parcel: Parcel): void;
}

/** Opens a way to another node: what the transports `lines` and `grpc` differ in. */
export type Dial = (peer: NodeAddress, handshake: Handshake, events: LinkEvents) => PeerLink;

export interface PeersOptions {
  readonly id: string;
  readonly cluster: string;
  readonly dial: Dial;
  /** From stage 8, where members come and go: what this node knows of itself now. */
  readonly acquaintance?: () => Acquaintance;
  /** From stage 8: the mark of the data directory with which the latest configuration has a node, if it was added. */
  readonly markOf?: (id: string) => string | undefined;
  /** From stage 8: another member says that this node was removed. */
  readonly onDismissed?: () => void;
}

/** Another node's way here. */
interface Accepted {
  readonly connection: PeerConnection;
  /** The configuration by which it knew itself as a member when it called; 0 when it did not say. */
  readonly member: number;
  /** The mark of its data directory, where it said that. */
  readonly instance: string | undefined;
}

/** A way to another node, and where it leads. */
interface Way {
  readonly address: string;
  readonly link: PeerLink;
}

/**
 * The other nodes: a connection for each direction between two of them, beside the clients' on the same port. It
 * opens with a handshake, whichever transport it uses.
 */
export class Peers<Message> implements Transport<Message> {
  readonly #options: PeersOptions;
  readonly #codec: Codec<Message>;
  readonly #listener: TransportListener<Message>;
  readonly #ways = new Map<string, Way>();
  readonly #accepted = new Map<string, Accepted>();
  /** The nodes to dial, and where each listens. */
  #contacts: Readonly<Record<string, string>> = {};
  /** Why nodes that are dialled refuse this one, those for which that will not pass by itself. */
  readonly #refusals = new Map<string, string>();
  /** Who was told last that it speaks another transport: it is said once. */
  readonly #misspoken = new Set<string>();
  /** Since when those that are no contacts any more are none. */
  readonly #leftAt = new Map<string, number>();

  constructor(options: PeersOptions, codec: Codec<Message>, listener: TransportListener<Message>) {
    this.#options = options;
    this.#codec = codec;
    this.#listener = listener;
  }

  /** Dials one more node from now on. */
  open({ id, address }: NodeAddress): void {
    this.#contacts = { ...this.#contacts, [id]: address };
    if (!this.#ways.has(id)) this.#dial({ id, address });
  }

  /**
   * Dials these nodes from now on, and keeps dialling them; has no more to do with any other, unless it may know more
   * than we. Called every so often, with the time: what is under way with a node that has just left may still be
   * answered.
   */
  follow(contacts: Readonly<Record<string, string>>, now: number): void {
    this.#contacts = contacts;
    for (const id of new Set([...this.#ways.keys(), ...this.#accepted.keys()])) {
      const isContact = Object.hasOwn(contacts, id);
      if (isContact) this.#leftAt.delete(id);
      else if (!this.#leftAt.has(id)) this.#leftAt.set(id, now);
      if (isContact || now - (this.#leftAt.get(id) ?? now) > LINGER) this.#tidy(id);
    }
    for (const [id, address] of Object.entries(contacts))
      if (!this.#ways.has(id)) this.#dial({ id, address });
  }

  /** Ends what there is between this node and one that is no contact, or none at that address any more. */
  #tidy(id: string): void {
    const address = entryOf(this.#contacts, id);
    const accepted = this.#accepted.get(id);
    const isGuest = address === undefined && accepted !== undefined && this.#isWelcome(id, accepted.member);
    const way = this.#ways.get(id);
    if (way !== undefined && !isGuest && way.address !== address) {
      this.#ways.delete(id);
      this.#refusals.delete(id);
      way.link.close();
      this.#listener.onLinkDown(id);
    }
    if (address === undefined && !isGuest) accepted?.connection.destroy();
  }

  #isWelcome(from: string, member: number): boolean {
    return unknown({ from, member }, this.#here) === undefined;
  }

  get #here() {
    const { id, cluster, acquaintance } = this.#options;
    return { id, cluster, acquaintance: acquaintance?.() };
  }

  #dial(peer: NodeAddress): void {
    const { id: from, cluster, dial, acquaintance, onDismissed } = this.#options;
    const fixed: Handshake = { op: 'peer', protocol: 1, cluster, from, to: peer.id };
    const handshake =
      acquaintance === undefined
        ? fixed
        : greeting(fixed, acquaintance, () => this.#accepted.get(peer.id)?.instance);
    let session: PeerSession | undefined;
    let mark = this.#markOf(peer.id);
    const link = dial(peer, handshake, {
      up: () => {
        this.#refusals.delete(peer.id);
        mark = this.#markOf(peer.id);
        this.#listener.onLinkUp(peer.id);
      },
      down: () => this.#listener.onLinkDown(peer.id),
      refused: error => {
        if (error.removed === true) onDismissed?.();
        else if (error.retry !== true && typeof error.message === 'string')
          this.#refusals.set(peer.id, error.message);
      },
      answered: parcel => session?.receive(parcel),
    });
    const reset = { destroy: () => link.reset() };
    session = this.#session(
      peer.id,
      reset,
      () => {},
      () => this.#isSucceeded(peer.id, mark),
    );
    this.#ways.set(peer.id, { address: peer.address, link });
  }

  send(to: string, message: Message): boolean {
    const parcel = this.#codec.encode(message);
    if (this.#accepted.get(to)?.connection.answer?.(parcel) === true) return true;
    return this.#ways.get(to)?.link.send(parcel) === true;
  }

  isUp(to: string): boolean {
    return this.#ways.get(to)?.link.isUp === true;
  }

  /** What a person has to mend before this node can speak to all others, in their words. */
  get notice(): string | undefined {
    return this.#refusals.size === 0 ? undefined : [...new Set(this.#refusals.values())].join('; ');
  }

  close(): void {
    for (const { link } of this.#ways.values()) link.close();
    for (const { connection } of this.#accepted.values()) connection.destroy();
  }

  /** Answers a handshake; with a session when it is accepted. A node that calls again replaces its old connection. */
  accept(
    hello: Readonly<Record<string, unknown>>,
    connection: PeerConnection,
  ): { outcome: Outcome; session?: PeerSession } {
    const { id, cluster } = this.#options;
    const { protocol, from, member, instance } = hello;
    const objection = this.#objection(hello) ?? this.#mistaken(hello, connection);
    if (objection !== undefined || typeof from !== 'string') {
      const refusal = objection ?? failure('CLUSTER_MISMATCH', 'it does not say who it is');
      log('refused a node: %s', refusal.message);
      return { outcome: failed(refusal) };
    }
    this.#accepted.get(from)?.connection.destroy();
    this.#accepted.set(from, {
      connection,
      member: typeof member === 'number' ? member : 0,
      instance: typeof instance === 'string' ? instance : undefined,
    });
    if (!this.#ways.has(from)) this.#dial({ id: from, address: String(hello.address) });
    const closed = () => {
      if (this.#accepted.get(from)?.connection !== connection) return;
      this.#accepted.delete(from);
      this.#tidy(from);
    };
    const mark = this.#markOf(from);
    const isSucceeded = () => this.#isSucceeded(from, mark, instance);
    const outcome: Outcome = { ok: true, rev: 0, node: id, cluster, protocol };
    // What it answered while its way here was broken is lost, and will have to be asked again.
    this.#listener.onLinkUp(from);
    return { outcome, session: this.#session(from, connection, closed, isSucceeded) };
  }

  #objection(hello: Readonly<Record<string, unknown>>): Failure | undefined {
    const { from, address } = hello;
    const here = this.#here;
    const refusal = misdialled(hello, here);
    if (refusal !== undefined) return refusal;
    const isContact = typeof from === 'string' && Object.hasOwn(this.#contacts, from);
    const stranger = isContact ? undefined : (unknown(hello, here) ?? notDialable(from, address));
    return stranger ?? changed(hello, here);
  }

  /** Both ends hear of it: the one that calls is told, and this one says it. */
  #mistaken({ from }: Readonly<Record<string, unknown>>, connection: PeerConnection): Failure | undefined {
    if (typeof from !== 'string') return undefined;
    const wasMisspoken = this.#misspoken.delete(from);
    if (connection.isMisspoken !== true) return undefined;
    this.#misspoken.add(from);
    const words = `${from} speaks lines to other nodes, and ${this.#options.id} gRPC: start both with the same --transport`;
    if (!wasMisspoken) process.stderr.write(`raftline: ${words}\n`);
    return failure('CLUSTER_MISMATCH', words);
  }

  #markOf(id: string): string | undefined {
    return this.#options.markOf?.(id);
  }

  /**
   * Whether a node was added again, with another data directory, since this connection of it began: what the earlier
   * one still says of its log must not be taken for what the new one has. `own`: the mark that it told of itself.
   */
  #isSucceeded(id: string, before: string | undefined, own?: unknown): boolean {
    const mark = this.#markOf(id);
    return mark !== undefined && mark !== before && mark !== own;
  }

  #session(
    from: string,
    connection: PeerConnection,
    closed: () => void,
    isSucceeded: () => boolean,
  ): PeerSession {
    const reader = new ParcelReader();
    const take = (parcelOf: () => Parcel | undefined): void => {
      let message: Message | undefined;
      try {
        const parcel = parcelOf();
        if (parcel === undefined) return;
        // Asked of each message and not of each line, of which an append has thousands.
        if (isSucceeded()) {
          log(
            '%s was added again with another data directory: the connection of the earlier is closed',
            from,
          );
          connection.destroy();
          return;
        }
        message = this.#codec.decode(parcel.header, parcel.lines);
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

/** Why a node that is unknown here cannot be called back, if it cannot. */
function notDialable(from: unknown, address: unknown): Failure | undefined {
  try {
    if (typeof from !== 'string' || !isNodeId(from))
      return failure('CLUSTER_MISMATCH', 'it does not say who it is');
    if (typeof address === 'string' && parseAddress(address).port > 0) return undefined;
  } catch {
    // Not an address: the same as none.
  }
  return failure('CLUSTER_MISMATCH', 'it does not say where it listens');
}

/** The cluster id of nodes that were all given the same list: the same at each, whatever the order of the list. */
export function clusterOf(nodes: readonly NodeAddress[]): string {
  const text = nodes
    .map(({ id, address }) => `${id}=${address}`)
    .sort()
    .join(',');
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
