import type { Socket } from 'node:net';
import { type Failure, failure } from '../wire/errors.ts';
import { LIMITS } from '../wire/limits.ts';
import { mayChange, type Request, type RequestId } from '../wire/ops.ts';
import { encodeReply, failed, type Outcome, outcomeOf } from '../wire/reply.ts';
import { isBlank, isHttp, isObject, readLine } from '../wire/request.ts';
import type { Taker } from './backlog.ts';
import type { Client, Follower } from './client.ts';
import type { Fault } from './line-buffer.ts';
import { LineInput } from './line-input.ts';
import type { News } from './news.ts';
import { Output } from './output.ts';
import type { PeerSession } from './peers.ts';
import { Pending, PendingSet } from './pending.ts';
import { Receipts } from './receipts.ts';
import type { LineServer } from './server.ts';
import { TIMEOUT, timedOut } from './timeout.ts';

/** A connection is not read while this many of its requests are under way, … */
const MOST_PENDING = 1_024;
/** … or this many of them ask for a page, which takes far longer to write than to ask for, … */
const MOST_PENDING_LISTS = 8;
/** … or this many characters of their lines. */
const MOST_PENDING_TEXT = 2_097_152;
/** Milliseconds that a client has to close its side once it has been sent everything. */
const LINGER = 2_000;
/** Milliseconds that another node has to say that it is one, where there is no room for more clients. */
const GREETING = 1_000;
/** Milliseconds for which a node that shuts down still answers, so that a client in use hears of it and leaves by itself. */
const FAREWELL = 250;

/** Bytes of a line between nodes: a client's line, and what a record of the log puts around it. */
const PEER_LINE = LIMITS.line + 65_536;

/** What a client is told before its connection closes on it. */
const FAULTS: Readonly<Record<Fault, Failure>> = {
  LINE_TOO_LONG: failure(
    'LINE_TOO_LONG',
    `a line is longer than ${LIMITS.line} bytes; the connection closes`,
    {
      limit: LIMITS.line,
    },
  ),
  BAD_ENCODING: failure('BAD_ENCODING', 'a line is not UTF-8; the connection closes'),
  BUSY: failure(
    'BUSY',
    'too many long lines are half-sent to this node; the connection closes: try again later',
  ),
};

const SHUTTING_DOWN = failure('SHUTTING_DOWN', 'this node is shutting down; ask another');

/** A reply that only waits for its turn. */
interface Ready {
  readonly reply: string;
  readonly sent?: undefined;
}

/**
 * One client: its lines in, its replies out.
 *
 * Lines without an id are answered in the order sent, and take effect in it: a read waits for the changes before
 * it, and a change for the reads, so that a `set` and a `get` sent one after the other do what they seem to do.
 */
export class Connection implements Taker, Client {
  readonly #server: LineServer;
  readonly #socket: Socket;
  readonly #input: LineInput;
  readonly #output: Output;
  /** Requests under way without an id, and replies that wait behind them, in the order of their lines. */
  readonly #inOrder: (Pending | Ready)[] = [];
  #orderedKind: 'read' | 'change' = 'read';
  /** The next request without an id, while it waits for those before it to be answered; no line is read meanwhile. */
  #waiting: Pending | undefined;
  /** Requests under way that have an id. */
  readonly #byId = new PendingSet();
  /** Who pushes to this client. */
  readonly #followers = new Set<Follower>();
  #pendingText = 0;
  #pendingLists = 0;
  /** A line is being handled, and `#flow` comes when it is. */
  #isReading = false;
  /** The socket is closed. */
  #isGone = false;
  /** No further line counts, and the connection closes after its last reply. */
  #isEnding = false;
  /** Since when the node has been shutting down: no request is carried out any more, and each is told so. */
  #leavingAt: number | undefined;
  /** When this side ended, or, once `#isTaken`, when the client had taken everything. */
  #endedAt: number | undefined;
  #isTaken = false;
  #activeAt: number;
  readonly #beganAt: number;
  /** Beyond the clients' number: only another node may have it. */
  readonly #isReserve: boolean;
  #isFirstLine = true;
  /** Set once a handshake has made this the connection of another node. */
  #peer: PeerSession | undefined;

  constructor(server: LineServer, socket: Socket, isReserve = false) {
    this.#server = server;
    this.#socket = socket;
    const taker = { onLine: (line: string) => this.#line(line), onEnd: () => this.#inputEnded() };
    this.#input = new LineInput(socket, taker, LIMITS.line, server.received);
    this.#output = new Output(socket, this, server.backlog, server.pieces);
    this.#activeAt = server.now();
    this.#beganAt = this.#activeAt;
    this.#isReserve = isReserve;
    socket.on('data', chunk => {
      this.#activeAt = server.now();
      this.#input.take(chunk);
    });
    socket.on('end', () => this.#input.end());
    socket.on('drain', () => {
      this.#output.count();
      this.#flow();
      if (!this.isFull) for (const follower of this.#followers) follower.onRoom();
    });
    socket.on('error', error => server.log('%s: %s', socket.remoteAddress, error.message));
    // Nobody is there to be answered: what was read ahead of its turn is not carried out.
    socket.once('close', () => {
      this.#isGone = true;
      this.#isEnding = true;
      this.#waiting = undefined;
      this.#input.destroy();
      server.received.give(this.#pendingText);
      server.backlog.count(this, 0);
      this.#abandon();
    });
  }

  /** True once this is the connection of another node. */
  get isPeer(): boolean {
    return this.#peer !== undefined;
  }

  get isMisspoken(): boolean {
    return this.#server.takesHttp2;
  }

  #line(line: string): void {
    if (this.#isEnding) return;
    if (this.#peer !== undefined) {
      this.#peer.line(line);
      return;
    }
    if (!isObject(line)) {
      if (isBlank(line)) return;
      if (isHttp(line)) {
        this.#server.log('%s speaks HTTP: closed', this.#socket.remoteAddress);
        this.#isEnding = true;
        // A browser is owed nothing; who has asked in our own words before is owed the replies.
        if (this.#isFirstLine) this.destroy();
        else this.#flow();
        return;
      }
    }
    if (this.#isFirstLine && this.#becomesPeer(line)) return;
    if (this.#isReserve) {
      this.destroy();
      return;
    }
    this.#isReading = true;
    const read = readLine(line, this.#server.service.stage);
    if ('failure' in read) this.#answerAtOnce(read.id, failed(read.failure));
    else this.#request(read.request, line.length);
    this.#isReading = false;
    this.#flow();
  }

  /** Hands the connection over to the peers when its first line is a handshake that they accept. */
  #becomesPeer(line: string): boolean {
    this.#isFirstLine = false;
    const hello = this.#server.peers === undefined ? undefined : handshakeIn(line);
    if (this.#server.peers === undefined || hello === undefined) return false;
    const { outcome, session } = this.#server.peers.accept(hello, this);
    this.#answerAtOnce(undefined, outcome.ok ? { ...outcome, receipts: true } : outcome);
    if (session === undefined) this.#isEnding = true;
    else {
      this.#peer = session;
      new Receipts(this.#socket);
      this.#input.trust(PEER_LINE);
      this.#socket.once('close', () => session.closed());
    }
    this.#flow();
    return true;
  }

  #request(request: Request, size: number): void {
    if (this.#leavingAt !== undefined) {
      this.#answerAtOnce(request.id, failed(SHUTTING_DOWN));
      return;
    }
    if (!this.#server.received.take(size)) {
      this.#answerAtOnce(
        request.id,
        failed(failure('BUSY', 'too much is under way at this node; try again later')),
      );
      return;
    }
    const pending = new Pending(this, request, size, this.#activeAt + (request.timeout ?? TIMEOUT));
    this.#pendingText += size;
    if (request.op === 'list') this.#pendingLists += 1;
    if (request.id !== undefined) {
      this.#carryOut(pending);
      if (pending.reply === undefined) this.#byId.add(pending);
    } else if (this.#inOrder.length > 0 && orderOf(request) !== this.#orderedKind) {
      this.#waiting = pending;
    } else {
      this.#carryOutInOrder(pending);
    }
  }

  #carryOutInOrder(pending: Pending): void {
    this.#orderedKind = orderOf(pending.request);
    this.#inOrder.push(pending);
    this.#carryOut(pending);
  }

  #carryOut(pending: Pending): void {
    if (pending.request.op === 'quit') this.#isEnding = true;
    try {
      this.#server.service.handle(pending.request, pending);
    } catch (error) {
      this.#server.log('%s failed: %O', pending.request.op, error);
      pending.answer(outcomeOf(error));
    }
  }

  /** For `Pending` alone: its reply is there, and goes out when its turn has come. */
  answered(pending: Pending): void {
    this.#pendingText -= pending.size;
    if (pending.request.op === 'list') this.#pendingLists -= 1;
    if (!this.#isGone) this.#server.received.give(pending.size);
    if (pending.request.id === undefined) this.#sendInOrder();
    else {
      this.#byId.delete(pending);
      this.#send(pending.reply ?? '');
      pending.sent();
    }
    if (!this.#isReading) this.#flow();
  }

  #answerAtOnce(id: RequestId | null | undefined, outcome: Outcome): void {
    const reply = encodeReply(id, outcome);
    if (typeof id === 'string' || typeof id === 'number') {
      this.#send(reply);
      return;
    }
    this.#inOrder.push({ reply });
    this.#sendInOrder();
  }

  #sendInOrder(): void {
    for (let first = this.#inOrder[0]; first?.reply !== undefined; first = this.#inOrder[0]) {
      this.#inOrder.shift();
      this.#send(first.reply);
      first.sent?.();
    }
    if (this.#inOrder.length === 0 && this.#waiting !== undefined) {
      const next = this.#waiting;
      this.#waiting = undefined;
      this.#carryOutInOrder(next);
    }
  }

  #send(reply: string): void {
    if (this.#output.add(reply)) this.#server.flushLater(this);
  }

  push(news: News, watch?: number): void {
    this.#send(watch === undefined ? `{${news.text}}` : `{"watch":${watch},${news.text}}`);
  }

  get isFull(): boolean {
    return this.#output.isBackedUp;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  follow(follower: Follower): void {
    // A client that has ended its side is owed replies, and no more.
    if (this.#isEnding) follower.onGone();
    else this.#followers.add(follower);
  }

  unfollow(follower: Follower): void {
    this.#followers.delete(follower);
  }

  #abandon(): void {
    const followers = [...this.#followers];
    this.#followers.clear();
    for (const follower of followers) follower.onGone();
  }

  /** For the server alone, at the end of a turn. */
  flush(): void {
    this.#output.flush();
    this.#flow();
  }

  /** Reads on, or stops until there is room again; closes when all is done. */
  #flow(): void {
    const pending = this.#inOrder.length + this.#byId.size;
    const isFull =
      this.#waiting !== undefined ||
      pending >= MOST_PENDING ||
      this.#pendingText >= MOST_PENDING_TEXT ||
      this.#pendingLists >= MOST_PENDING_LISTS ||
      this.#output.isFull;
    if (isFull !== this.#input.isPaused) {
      if (isFull) this.#input.pause();
      else {
        this.#activeAt = this.#server.now(); // a client that was not read cannot have stood still
        this.#input.resume();
      }
    }
    if (this.#isEnding && pending === 0 && this.#waiting === undefined && this.#output.isWritten)
      this.#close();
  }

  #inputEnded(): void {
    const { fault } = this.#input;
    if (fault !== undefined) this.#answerAtOnce(null, failed(FAULTS[fault]));
    this.#isEnding = true;
    this.#flow();
  }

  #close(): void {
    if (this.#endedAt !== undefined) return;
    this.#endedAt = this.#server.now();
    this.#abandon();
    // What a client still sends is read and thrown away: closing on it would reset the connection, and the reset
    // can overtake the last reply.
    this.#socket.end(() => {
      this.#endedAt = this.#server.now();
      this.#isTaken = true;
    });
  }

  /** Ends what has taken too long: requests, a line that stands still half-sent, a client that does not close. */
  sweep(now: number, idleLimit: number): void {
    if (this.#isReserve && !this.isPeer && now - this.#beganAt > GREETING) {
      this.destroy();
      return;
    }
    if (this.#leavingAt !== undefined && now - this.#leavingAt > FAREWELL && !this.#isEnding) {
      this.#isEnding = true;
      this.#flow();
    }
    if (this.#endedAt !== undefined && now - this.#endedAt > (this.#isTaken ? LINGER : idleLimit)) {
      this.#socket.destroy();
      return;
    }
    if (this.#input.partial > 0 && now - this.#activeAt > idleLimit && !this.#input.isPaused) {
      this.#server.log('%s idle in mid-line: closed', this.#socket.remoteAddress);
      this.#socket.destroy();
      return;
    }
    if (this.#inOrder.length + this.#byId.size === 0) return;
    for (const slot of [this.#waiting, ...this.#inOrder, ...this.#byId]) {
      if (slot instanceof Pending && slot.deadline <= now) this.#timeOut(slot);
    }
  }

  #timeOut(pending: Pending): void {
    const outcome = timedOut(pending.request, pending !== this.#waiting);
    if (pending === this.#waiting) {
      this.#waiting = undefined;
      this.#inOrder.push(pending);
    }
    pending.answer(outcome);
  }

  /** Carries out no further line, waits for the replies under way, and closes: a little later, as long as the client may still send. */
  shutDown(): void {
    for (const follower of this.#followers) follower.onShutDown();
    this.#leavingAt = this.#server.now();
    if (this.#waiting !== undefined) {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      this.#inOrder.push(waiting);
      waiting.answer(failed(SHUTTING_DOWN));
    }
    this.#flow();
  }

  cutOff(): void {
    this.#server.log('%s does not take its replies: closed', this.#socket.remoteAddress);
    this.destroy();
  }

  destroy(): void {
    this.#input.destroy();
    this.#socket.destroy();
  }
}

/** The greeting of another node, if the line is one. */
function handshakeIn(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{"op":"peer",')) return undefined;
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

function orderOf(request: Request): 'read' | 'change' {
  return mayChange(request.op) ? 'change' : 'read';
}
