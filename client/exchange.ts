import type { Address } from '../src/wire/address.ts';
import type { Success } from '../src/wire/reply.ts';
import type { Call } from './call.ts';
import { type ClientError, localError, replyError } from './client-error.ts';
import { Link, type LinkOwner, type Reply } from './link.ts';
import { pause, Roster } from './roster.ts';
import { Signals } from './signals.ts';
import { aborted, closed, outcomeUnknown, overdue } from './verdicts.ts';

/** Milliseconds between two looks at what is due: deadlines, dials, pauses. One timer stands for all of them. */
const SWEEP = 20;
/** Milliseconds beyond its deadline in which a node's own answer may still come; it knows more than we do. */
const GRACE = 250;
/** Milliseconds that a connection may take to open before the next address has its turn. */
const DIAL_TIMEOUT = 1_000;

/** Answers of a node that cannot help at the moment, where another might. */
const ASK_ANOTHER: ReadonlySet<string> = new Set(['NOT_LEADER', 'NO_LEADER', 'NO_QUORUM', 'SHUTTING_DOWN']);

/**
 * Brings every call to its reply, over one connection at a time.
 *
 * What may be sent again, and when, is the heart of it. Three things are safe: what was never sent; what a node
 * refused with `definite` and `retry`; and a read, which changes nothing however often it is asked. A change that was
 * sent and not answered is none of these: it may have happened, and only the caller can tell whether twice is harm.
 */
export class Exchange implements LinkOwner {
  readonly #roster: Roster;
  /** Give up on what was never sent as soon as every address has failed once, and not only at the deadline. */
  readonly #isImpatient: boolean;
  /** The connection that new requests use, open or still opening. */
  #link: Link | undefined;
  /** That one, and those left for a better one, which stay until their last reply is there. */
  readonly #links = new Set<Link>();
  /** Calls to be sent, in order. */
  #queue: Call[] = [];
  /** Calls that wait before they are sent again. */
  readonly #paused = new Set<Call>();
  readonly #signals = new Signals((call, signal) => this.#abort(call, signal));
  #nextId = 1;
  #dialAt = 0;
  #isFlushPlanned = false;
  #sweeper: NodeJS.Timeout | undefined;
  #isClosed = false;
  #closing: Promise<void> | undefined;
  #lastClosed: (() => void) | undefined;

  constructor(addresses: readonly Address[], isImpatient: boolean) {
    this.#roster = new Roster(addresses);
    this.#isImpatient = isImpatient;
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
      this.#queue.push(call);
      this.#planFlush();
    }
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
    for (const call of [...this.#queue, ...this.#paused])
      if (!call.isSettled) call.fail(closed(call, undefined));
    this.#queue = [];
    this.#paused.clear();
    for (const link of this.#links) {
      for (const call of link.inFlight.values()) call.fail(closed(call, link.name));
      link.inFlight.clear();
      link.destroy('was left');
    }
  }

  /** All that a turn of the event loop has brought leaves in one write. */
  #planFlush(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    setImmediate(() => {
      this.#isFlushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#queue.length === 0 || this.#isClosed) return;
    const link = this.#link;
    if (link === undefined) this.#dialWhenDue(performance.now());
    else if (link.isOpen) this.#send(link);
  }

  /** Sends from the queue while there is room; the rest waits for `drained`, and so do its callers' promises. */
  #send(link: Link): void {
    const now = performance.now();
    const queue = this.#queue;
    let room = link.room;
    let text = '';
    let at = 0;
    for (; at < queue.length && room > 0; at += 1) {
      const call = queue[at];
      if (call === undefined || call.isSettled) continue;
      const id = this.#nextId;
      this.#nextId += 1;
      const line = call.line(id, now);
      room -= line.length;
      text += line;
      link.inFlight.set(id, call);
    }
    this.#queue = at === queue.length ? [] : queue.slice(at);
    if (text !== '') link.write(text);
  }

  #dialWhenDue(now: number): void {
    if (now < this.#dialAt) return;
    this.#link = new Link(this.#roster.next, this);
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
    if (reply.ok) call.succeed(reply as Success, line);
    else this.#refused(link, call, replyError(reply.error, call.op, link.name, line));
    this.#leaveIfIdle(link);
  }

  #refused(link: Link, call: Call, error: ClientError): void {
    if (link === this.#link && ASK_ANOTHER.has(error.code)) {
      const leader = error.failure.leader as { address?: unknown } | null | undefined;
      if (typeof leader?.address === 'string') this.#roster.prefer(leader.address);
      else this.#roster.advance();
      if (this.#roster.nextName !== link.name) this.#link = undefined;
    }
    const now = performance.now();
    // The first answer of this kind is followed at once; those after it, in ever longer steps.
    const wait = call.attempts === 1 && error.code === 'NOT_LEADER' ? 0 : pause(call.attempts);
    if (!error.retry || !(error.definite || call.isSafe) || now + wait >= call.deadline) {
      call.fail(error);
      return;
    }
    call.lastError = error;
    call.notBefore = now + wait;
    if (wait > 0) {
      this.#paused.add(call);
    } else {
      this.#queue.push(call);
      this.#planFlush();
    }
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
      // A connection that a node closes while nothing is asked of it is no failure.
      if (unanswered.length > 0 || !link.wasOpen) this.#roster.failed(link.name, why);
      this.#dialAt = performance.now() + this.#roster.pause();
    }
    for (const call of unanswered) {
      if (call.isSafe) this.#queue.push(call);
      else call.fail(outcomeUnknown(call, link.name, why));
    }
    if (this.#isImpatient && this.#roster.isExhausted) this.#giveUp();
    else this.#planFlush();
  }

  /** Every address has failed in turn: what waits is told so, and the next request begins afresh. */
  #giveUp(): void {
    const waiting = this.#queue;
    this.#queue = [];
    for (const call of waiting) if (!call.isSettled) call.fail(this.#unreachable(call));
    this.#roster.forgive();
    this.#dialAt = 0;
  }

  #sweep(): void {
    const now = performance.now();
    for (const call of this.#paused) {
      if (call.isSettled) this.#paused.delete(call);
      else if (call.notBefore <= now) {
        this.#paused.delete(call);
        this.#queue.push(call);
      }
    }
    for (const call of this.#queue) if (!call.isSettled && call.deadline <= now) this.#overdueUnsent(call);
    for (const link of this.#links) this.#sweepLink(link, now);
    this.#queue = this.#queue.filter(call => !call.isSettled);
    this.#flush();
    if (this.#queue.length === 0 && this.#paused.size === 0 && this.#isQuiet()) {
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
    }
  }

  #isQuiet(): boolean {
    for (const link of this.#links) if (!link.isOpen || link.inFlight.size > 0) return false;
    return true;
  }

  #sweepLink(link: Link, now: number): void {
    if (!link.isOpen && now - link.dialledAt > DIAL_TIMEOUT) {
      link.destroy(`did not answer within ${DIAL_TIMEOUT} ms`);
    }
    for (const [id, call] of link.inFlight) {
      if (call.deadline + GRACE > now) continue;
      link.inFlight.delete(id);
      call.fail(overdue(call, link.name));
      if (link === this.#link && link.heardAt < call.sentAt) {
        // Not a word since it was sent: the node may hang behind a connection that looks open. Others get a chance,
        // and what it still owes may yet come.
        this.#link = undefined;
        this.#roster.failed(link.name, `did not answer within ${call.timeout} ms`);
      }
    }
    this.#leaveIfIdle(link);
  }

  #overdueUnsent(call: Call): void {
    if (call.lastError) call.fail(call.lastError);
    else if (this.#link?.isOpen) {
      const words = `${this.#link.name} takes no more requests: nothing was sent within ${call.timeout} ms; try again`;
      call.fail(localError('TIMEOUT', words, { op: call.op, address: this.#link.name }, { definite: true }));
    } else call.fail(this.#unreachable(call));
  }

  #unreachable(call: Call): ClientError {
    const circumstances = { op: call.op, address: this.address };
    return localError('NODE_UNREACHABLE', `no node answers: ${this.#roster.describe()}`, circumstances);
  }

  #abort(call: Call, signal: AbortSignal): void {
    for (const link of this.#links) {
      if (link.inFlight.get(call.id) !== call) continue;
      link.inFlight.delete(call.id);
      call.fail(aborted(call, signal, true, link.name));
      this.#leaveIfIdle(link);
      return;
    }
    call.fail(aborted(call, signal, false, undefined));
  }
}
