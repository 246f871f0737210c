import type { Address } from '../src/wire/address.ts';
import type { Success } from '../src/wire/reply.ts';
import { Call, type Fields } from './call.ts';
import { type ClientError, localError, replyError } from './client-error.ts';
import type { Dial, Link, LinkOwner, Reply } from './link.ts';
import { Outbox } from './outbox.ts';
import { pause, Roster } from './roster.ts';
import { Session, type SessionOwner } from './session.ts';
import { Signals } from './signals.ts';
import { Streams, type StreamsOwner } from './streams.ts';
import type { Stream, StreamListener, Transport } from './transport.ts';
import {
  aborted,
  closed,
  inFull,
  isOutOfRoom,
  outcomeUnknown,
  overdue,
  refusedFor,
  uncertain,
} from './verdicts.ts';

/** Milliseconds between two looks at what is due: deadlines, dials, pauses. One timer stands for all of them. */
const SWEEP = 20;
/** Milliseconds beyond its deadline in which a node's own answer may still come; it knows more than we do. */
const GRACE = 250;
/** Milliseconds that a connection may take to open before the next address has its turn. */
const DIAL_TIMEOUT = 1_000;
/**
 * Reads that leave at once: the node begins with them while their callers go on with the rest of the turn. Changes wait for
 * its end, since each piece of them would have to go through the log by itself.
 */
const PIECE = 64;
/** Milliseconds without a word after which what may be sent twice is sent to another node. */
const SILENCE = 2_000;

/** Answers of a node that cannot help at the moment, where another might. */
const ASK_ANOTHER: ReadonlySet<string> = new Set([
  'NOT_LEADER',
  'NO_LEADER',
  'NO_QUORUM',
  'NOT_INITIALISED',
  'SHUTTING_DOWN',
]);

/** Answers that stay what they are until a person does something, for a node that waits or an address that is wrong. */
const UP_TO_A_PERSON: ReadonlySet<string> = new Set(['NOT_INITIALISED', 'NODE_UNREACHABLE']);

/** How an exchange goes about it. */
export interface ExchangeOptions {
  /** What a connection is: lines, or gRPC. */
  readonly dial: Dial;
  /**
   * Give up on what was never sent as soon as every address has failed once, and on what only a person can mend as soon
   * as a node has said so; not only at the deadline.
   */
  readonly isImpatient: boolean;
  /** Number the changes in a session, which may be forgotten after so many seconds without use. */
  readonly session: { readonly ttl?: number } | undefined;
  /** Milliseconds from one look at a node that is followed to the next; 2,000 unless told. */
  readonly checkEvery?: number;
}

/**
 * Brings every call to its reply, over one connection at a time.
 *
 * What may be sent again, and when, is the heart of it. Four things are safe: what was never sent; what a node
 * refused with `definite` and `retry`; a read, which changes nothing however often it is asked; and a change with a
 * number of a session, which happens once. Any other change that was sent and not answered is none of these: it may
 * have happened, and only the caller can tell whether twice is harm.
 */
export class Exchange implements Transport, LinkOwner, SessionOwner, StreamsOwner {
  readonly #roster: Roster;
  readonly #dial: Dial;
  readonly #isImpatient: boolean;
  readonly #session: Session | undefined;
  readonly #streams: Streams;
  /** The connection that new requests use, open or still opening. */
  #link: Link | undefined;
  /** That one, and those left for a better one, which stay until their last reply is there. */
  readonly #links = new Set<Link>();
  readonly #outbox = new Outbox();
  readonly #signals = new Signals((call, signal) => this.#abort(call, signal));
  #dialAt = 0;
  #isFlushPlanned = false;
  #sweeper: NodeJS.Timeout | undefined;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  #lastClosed: (() => void) | undefined;

  constructor(addresses: readonly Address[], { dial, isImpatient, session, checkEvery }: ExchangeOptions) {
    this.#streams = new Streams(this, checkEvery);
    this.#roster = new Roster(addresses);
    this.#dial = dial;
    this.#isImpatient = isImpatient;
    this.#session = session && new Session(this, session.ttl);
  }

  /** Where requests go at the moment: the open connection's address, or the next to be dialled. */
  get address(): string {
    return this.#link?.name ?? this.#roster.nextName;
  }

  submit(call: Call, signal: AbortSignal | undefined): void {
    if (this.#isClosed) {
      call.fail(closed(call, undefined));
    } else if (signal?.aborted) {
      call.fail(aborted(call, signal, false, undefined));
    } else {
      if (signal) this.#signals.watch(signal, call);
      this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP);
      this.#enqueue(call);
    }
  }

  open(op: string, fields: Fields, timeout: number, listener: StreamListener): Stream {
    return this.#streams.open(op, fields, timeout, listener);
  }

  /** A change waits for its number; everything else may go. */
  #enqueue(call: Call): void {
    if (this.#session !== undefined && call.takesSession && call.once === undefined) this.#session.take(call);
    else this.release(call);
  }

  release(call: Call): void {
    this.#outbox.push(call);
    if (call.isSafe && this.#outbox.size === PIECE) this.#flush();
    else this.#planFlush();
  }

  refuse(call: Call, error: ClientError): void {
    call.fail(refusedFor(call, error));
  }

  /** Rejects what is open, closes every connection, and resolves when nothing is left. */
  close(): Promise<void> {
    this.#closing ??= new Promise(resolve => {
      this.#lastClosed = resolve;
      this.#shutDown();
      if (this.#links.size === 0) resolve();
    });
    return this.#closing;
  }

  #shutDown(): void {
    this.#isClosed = true;
    clearInterval(this.#sweeper);
    this.#streams.shutDown();
    const unsent = [...this.#outbox.takeAll(), ...(this.#session?.held ?? [])];
    for (const call of unsent) if (!call.isSettled) call.fail(closed(call, call.unansweredBy));
    for (const link of this.#links) {
      for (const call of link.inFlight.values()) call.fail(closed(call, link.name));
      link.inFlight.clear();
      link.destroy('was left');
    }
  }

  /** What a turn of the event loop has brought leaves in one write, or in a few. */
  #planFlush(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    setImmediate(() => {
      this.#isFlushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#outbox.isEmpty || this.#isClosed) return;
    const link = this.#link;
    if (link === undefined) this.#dialWhenDue(performance.now());
    else if (link.isOpen && this.#isTrusted(link)) this.#outbox.sendTo(link);
  }

  /**
   * Whether a node may have what is to be sent. What could not be sent to another any more is for one that is known to
   * answer: of several, a node that has not said a word yet is asked for one first.
   */
  #isTrusted(link: Link): boolean {
    if (link.heardAt > 0 || this.#roster.isAlone || this.#outbox.isRepeatable) return true;
    if (link.inFlight.size === 0) {
      const flush = () => this.#planFlush();
      const greeting = new Call({ op: 'ping', fields: {}, timeout: SILENCE, isOwn: true }, flush, flush);
      this.#outbox.sendOne(greeting, link);
    }
    return false;
  }

  #dialWhenDue(now: number): void {
    if (now < this.#dialAt) return;
    this.#link = this.#dial(this.#roster.next, this);
    this.#links.add(this.#link);
  }

  opened(link: Link): void {
    if (link === this.#link) this.#flush();
  }

  drained(link: Link): void {
    if (link === this.#link) this.#flush();
  }

  replied(link: Link, call: Call, reply: Reply, line: string): void {
    this.#roster.answered();
    if (!reply.ok) this.#refused(link, call, inFull(call, replyError(reply.error, call.op, link.name, line)));
    else {
      call.succeed(reply as Success, line);
      this.#streams.agreed(link, call, reply as Success);
    }
    this.#session?.advance();
    this.#leaveIfIdle(link);
  }

  #refused(link: Link, call: Call, error: ClientError): void {
    const leader = error.failure.leader as { address?: unknown } | null | undefined;
    if (link === this.#link && (ASK_ANOTHER.has(error.code) || leader === null)) {
      if (typeof leader?.address === 'string') this.#roster.prefer(leader.address);
      else this.#roster.advance();
      if (this.#roster.nextName !== link.name) this.#leave(link, `answered ${error.code}`);
    }
    if (!error.definite && !call.isSafe) call.unansweredBy = link.name;
    const isRenewed = error.code === 'SESSION_EXPIRED' && this.#renumber(call);
    const now = performance.now();
    // The first answer of this kind is followed at once; those after it, in ever longer steps.
    const isFirst = call.attempts === 1 && (isRenewed || error.code === 'NOT_LEADER');
    const wait = isFirst ? 0 : pause(call.attempts);
    const mayRetry = isRenewed || (error.retry && (error.definite || call.isRepeatable));
    // Whoever waits for our own question can do without what it asks for.
    const isVain = !mayRetry || (call.isOwn && isOutOfRoom(error)) || this.isUpToAPerson(error);
    if (isVain || now + wait >= call.deadline) {
      call.fail(call.unansweredBy === undefined ? error : uncertain(call, error));
      return;
    }
    call.lastError = error;
    call.notBefore = now + wait;
    if (wait > 0) this.#outbox.pause(call);
    else this.#enqueue(call);
  }

  /** Whether whoever waits for an answer is better told at once than at the deadline. */
  isUpToAPerson({ code }: ClientError): boolean {
    const mayBeElsewhere = code === 'NOT_INITIALISED' && !this.#roster.isAlone;
    return this.#isImpatient && UP_TO_A_PERSON.has(code) && !mayBeElsewhere;
  }

  /** The session is forgotten. A change that was never sent without an answer did not happen, and may begin anew. */
  #renumber(call: Call): boolean {
    if (call.once === undefined) return false;
    this.#session?.expired(call.once.session);
    if (call.unansweredBy !== undefined) return false;
    call.once = undefined;
    return true;
  }

  /** Turns away from a link, for another: what it still owes may come, but its streams go on elsewhere. */
  #leave(link: Link, why: string): void {
    this.#link = undefined;
    this.#session?.disconnected();
    this.#streams.leave(link, why);
  }

  forsake(why: string): void {
    const link = this.#link;
    if (link === undefined) return;
    this.#roster.advance();
    if (this.#roster.nextName === link.name) return;
    this.#leave(link, why);
    this.#leaveIfIdle(link);
  }

  unwatch(link: Link, watch: number): void {
    if (link.isOpen && !this.#isClosed)
      link.write(`{"id":${this.#outbox.ownId()},"op":"unwatch","watch":${watch}}\n`);
  }

  /** Closes a connection that was left for a better one, once it owes no reply. */
  #leaveIfIdle(link: Link): void {
    if (link !== this.#link && link.inFlight.size === 0) link.destroy('was left');
  }

  lost(link: Link, why: string): void {
    this.#links.delete(link);
    if (this.#isClosed) {
      if (this.#links.size === 0) this.#lastClosed?.();
      return;
    }
    const unanswered = [...link.inFlight.values()];
    link.inFlight.clear();
    if (link === this.#link) {
      this.#link = undefined;
      this.#session?.disconnected();
      // A connection that a node closes while nothing is asked of it is no failure.
      if (unanswered.length > 0 || !link.wasOpen) this.#roster.failed(link.name, why);
      this.#dialAt = performance.now() + this.#roster.pause();
    }
    for (const call of unanswered) {
      if (!call.isSafe) call.unansweredBy = link.name;
      if (call.isRepeatable) this.#outbox.push(call);
      else call.fail(outcomeUnknown(call, link.name, why));
    }
    this.#streams.leave(link, why);
    if (this.#isImpatient && this.#roster.isExhausted) this.#giveUp();
    else this.#planFlush();
  }

  /** Every address has failed in turn: what waits is told so, and the next request begins afresh. */
  #giveUp(): void {
    const waiting = [...(this.#session?.held ?? []), ...this.#outbox.takeQueue()];
    for (const call of waiting) if (!call.isSettled) call.fail(this.#unreachable(call));
    this.#session?.advance();
    this.#roster.forgive();
    this.#dialAt = 0;
  }

  #sweep(): void {
    const now = performance.now();
    for (const call of this.#outbox.rested(now)) this.#enqueue(call);
    for (const call of this.#outbox.overdue(now)) this.#overdueUnsent(call);
    for (const call of this.#session?.held ?? []) this.#sweepHeld(call, now);
    for (const link of this.#links) this.#sweepLink(link, now);
    this.#outbox.tidy();
    this.#session?.advance();
    this.#flush();
    if (this.#outbox.isIdle && this.#isQuiet()) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
    }
  }

  #isQuiet(): boolean {
    if (this.#session?.isIdle === false) return false;
    for (const link of this.#links) if (!link.isOpen || link.inFlight.size > 0) return false;
    return true;
  }

  #sweepLink(link: Link, now: number): void {
    if (!link.isOpen && now - link.dialledAt > DIAL_TIMEOUT) {
      link.destroy(`did not answer within ${DIAL_TIMEOUT} ms`);
    }
    for (const [id, call] of link.inFlight) {
      const isOverdue = call.deadline + GRACE <= now;
      // Others may have been answered after this was sent, before the node fell silent.
      const silence = now - Math.max(call.sentAt, link.heardAt);
      const isMoved = silence > SILENCE && call.isRepeatable && !this.#roster.isAlone;
      if (!isOverdue && !isMoved) continue;
      if (link === this.#link && (isMoved || link.heardAt < call.sentAt)) {
        // Not a word for so long: the node may hang behind a connection that looks open. Others get a chance, and what
        // it still owes may yet come.
        const why = `did not answer within ${isOverdue ? call.timeout : SILENCE} ms`;
        if (isOverdue) this.#roster.failed(link.name, why);
        else this.#roster.silent(link.name, why);
        this.#leave(link, why);
      }
      link.inFlight.delete(id);
      if (!call.isSafe) call.unansweredBy = link.name;
      if (isOverdue) call.fail(overdue(call, link.name));
      else this.#outbox.push(call);
    }
    this.#leaveIfIdle(link);
  }

  /** A change that waits for a number has as long as one that waits for its answer: the node may yet say why. */
  #sweepHeld(call: Call, now: number): void {
    const grace = this.#link?.isOpen ? GRACE : 0;
    if (call.isSettled || call.deadline + grace > now) return;
    const { refusal } = this.#session ?? {};
    if (refusal !== undefined) call.fail(refusedFor(call, refusal));
    else if (this.#link?.isOpen) call.fail(refusedFor(call, overdue(call, this.#link.name)));
    else call.fail(this.#unreachable(call));
  }

  #overdueUnsent(call: Call): void {
    if (call.lastError) call.fail(refusedFor(call, call.lastError));
    else if (this.#link?.isOpen) {
      const words = `${this.#link.name} takes no more requests: nothing was sent within ${call.timeout} ms; try again`;
      const circumstances = { op: call.op, address: this.#link.name };
      call.fail(uncertain(call, localError('TIMEOUT', words, circumstances, { definite: true })));
    } else call.fail(this.#unreachable(call));
  }

  #unreachable(call: Call): ClientError {
    const circumstances = { op: call.op, address: this.address };
    const error = localError(
      'NODE_UNREACHABLE',
      `no node answers: ${this.#roster.describe()}`,
      circumstances,
    );
    return uncertain(call, error);
  }

  #abort(call: Call, signal: AbortSignal): void {
    for (const link of this.#links) {
      if (link.inFlight.get(call.id) !== call) continue;
      link.inFlight.delete(call.id);
      call.fail(aborted(call, signal, true, link.name));
      this.#leaveIfIdle(link);
      return;
    }
    call.fail(aborted(call, signal, call.unansweredBy !== undefined, call.unansweredBy));
  }
}
