import { connect, type Socket } from 'node:net';
import split2 from 'split2';
import type { Parcel } from '../ports/transport.ts';
import { type NodeAddress, parseAddress } from '../wire/address.ts';
import type { Handshake } from './handshake.ts';
import { logger } from './logger.ts';
import { sendSoon } from './loop-end.ts';
import { textOf } from './parcel.ts';
import type { Dial, LinkEvents, PeerLink } from './peers.ts';
import { LONGEST_SILENCE, Silence } from './receipts.ts';
import { Tries } from './tries.ts';
import { WholeLines } from './whole-lines.ts';

/** Milliseconds that a try may take, from dialling to the answer to the handshake. */
const PATIENCE = 2_000;
/** Characters that may wait for a peer that does not take them; more is dropped, since a peer that is behind asks. */
const MOST_QUEUED = 16_777_216;

const log = logger('link');

/** The `lines` transport, through an HTTP proxy where one is named. */
export function dialLines(proxy: string | undefined): Dial {
  return (peer, handshake, events) => new Link(peer, handshake, proxy, events);
}

/**
 * The way from this node to one other: a connection that carries this node's messages as lines, opened with a
 * handshake, and opened again, with growing and random waits, whenever it breaks. The other direction is the other
 * node's.
 */
export class Link implements PeerLink {
  readonly #peer: NodeAddress;
  readonly #handshake: Handshake;
  readonly #proxy: URL | undefined;
  readonly #events: LinkEvents;
  #socket: Socket | undefined;
  /** What to destroy to give up the present try: a socket, or a tunnel that is being opened. */
  #way: { destroy(): unknown } | undefined;
  #attempt = 0;
  #patience: NodeJS.Timeout | undefined;
  /** Whether the peer still receives what it is sent, where it says so. */
  #silence: Silence | undefined;
  #isUp = false;
  #isClosed = false;
  readonly #tries: Tries;
  #queue: string[] = [];
  #queued = 0;

  constructor(peer: NodeAddress, handshake: Handshake, proxy: string | undefined, events: LinkEvents) {
    this.#peer = peer;
    this.#handshake = handshake;
    this.#proxy = proxy === undefined ? undefined : new URL(proxy);
    this.#events = events;
    this.#tries = new Tries(peer, () => this.#dial());
    this.#dial();
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /**
   * Queues a message for the next `flush`; false when the link is down or its peer takes too little. While the
   * answer to the handshake is on its way, messages wait for it: the peer may have answered already, and have asked.
   */
  send(parcel: Parcel): boolean {
    const socket = this.#socket;
    if (socket === undefined || this.#queued + socket.writableLength > MOST_QUEUED) return false;
    if (this.#isUp && this.#queue.length === 0) sendSoon(() => this.flush());
    const text = textOf(parcel);
    this.#queue.push(text, '\n');
    this.#queued += text.length;
    return true;
  }

  /** Writes what is queued, in one piece. */
  flush(): void {
    if (this.#queue.length === 0 || !this.#isUp) return;
    const text = this.#queue.join('');
    this.#queue = [];
    this.#queued = 0;
    this.#socket?.write(text);
    this.#silence?.sent();
  }

  reset(): void {
    this.#broken(this.#attempt, 'reset');
  }

  close(): void {
    this.#isClosed = true;
    this.#tries.stop();
    clearTimeout(this.#patience);
    this.#way?.destroy();
  }

  #dial(): void {
    this.#attempt += 1;
    const attempt = this.#attempt;
    const broken = (error: Error) => this.#broken(attempt, error.message);
    this.#patience = setTimeout(() => broken(new Error('no answer')), PATIENCE).unref();
    const greet = (socket: Socket) => this.#greet(socket, attempt);
    if (this.#proxy === undefined) {
      const socket = connect({ ...parseAddress(this.#peer.address), noDelay: true, keepAlive: true });
      socket.once('connect', () => greet(socket));
      this.#way = socket;
      socket.on('error', broken);
    } else {
      this.#way = tunnel(this.#proxy, this.#peer.address, greet, broken);
    }
  }

  /** Says who calls, and waits for the answer before anything else is sent. */
  #greet(socket: Socket, attempt: number): void {
    this.#way = socket;
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('error', error => this.#broken(attempt, error.message));
    socket.once('close', () => this.#broken(attempt, 'closed'));
    const lines = socket.pipe(new WholeLines(65_536)).pipe(split2('\n'));
    lines.once('data', (line: string) => {
      clearTimeout(this.#patience);
      const { refusal, givesReceipts } = answerIn(line);
      if (refusal !== undefined) {
        if (!refusal.isPassing) this.#tries.refused(refusal.reason);
        this.#broken(attempt, refusal.reason);
        this.#events.refused?.(refusal.error);
        return;
      }
      log('up: %s at %s', this.#peer.id, this.#peer.address);
      this.#isUp = true;
      if (givesReceipts) {
        const words = `received nothing for ${LONGEST_SILENCE} ms`;
        this.#silence = new Silence(socket, () => this.#broken(attempt, words));
      }
      this.#tries.succeeded();
      this.#events.up();
      this.flush();
    });
    socket.write(`${JSON.stringify(this.#handshake)}\n`);
  }

  #broken(attempt: number, reason: string): void {
    if (attempt !== this.#attempt) return;
    this.#attempt += 1; // whatever else the broken try reports is about the past
    const wasUp = this.#isUp;
    const hasLost = wasUp || this.#queue.length > 0;
    clearTimeout(this.#patience);
    this.#isUp = false;
    this.#socket = undefined;
    this.#silence = undefined;
    this.#queue = [];
    this.#queued = 0;
    this.#way?.destroy();
    if (this.#isClosed) return;
    if (wasUp) log('down: %s (%s)', this.#peer.id, reason);
    this.#tries.again();
    if (hasLost) this.#events.down();
  }
}

/** Opens a tunnel through an HTTP proxy (RFC 9110 §9.3.6); the proxy is told the user name of its URL. */
function tunnel(
  proxy: URL,
  target: string,
  opened: (socket: Socket) => void,
  broken: (error: Error) => void,
): { destroy(): unknown } {
  const user = Buffer.from(`${decodeURIComponent(proxy.username)}:`).toString('base64');
  // Loaded only here: without a proxy a node never speaks HTTP.
  const { request } = process.getBuiltinModule('node:http');
  const call = request({
    host: proxy.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: proxy.port,
    method: 'CONNECT',
    path: target,
    headers: { 'proxy-authorization': `Basic ${user}` },
  });
  call.once('connect', (response, socket: Socket) => {
    if (response.statusCode === 200) opened(socket);
    else broken(new Error(`the proxy answered ${response.statusCode}`));
  });
  call.on('error', broken);
  call.end();
  return call;
}

interface Refusal {
  readonly reason: string;
  /** What is refused now, and will not be for long: a node that waits for its cluster, or has yet to hear of us. */
  readonly isPassing: boolean;
  readonly error: Readonly<Record<string, unknown>>;
}

/** What the answer to a handshake says: what it objects to, if anything, and whether receipts will come. */
function answerIn(line: string): { readonly refusal?: Refusal; readonly givesReceipts: boolean } {
  try {
    const { ok, error = {}, receipts } = JSON.parse(line) as Answer;
    if (ok === true) return { givesReceipts: receipts === true };
    const reason = String(error.message ?? line);
    return { refusal: { reason, isPassing: error.retry === true, error }, givesReceipts: false };
  } catch {
    const reason = `it answered ${JSON.stringify(line.slice(0, 60))}`;
    return { refusal: { reason, isPassing: false, error: {} }, givesReceipts: false };
  }
}

interface Answer {
  readonly ok?: unknown;
  readonly error?: Record<string, unknown>;
  readonly receipts?: unknown;
}
