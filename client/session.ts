import type { Success } from '../src/wire/reply.ts';
import { Call } from './call.ts';
import type { ClientError } from './client-error.ts';
import { Fifo } from './fifo.ts';
import { isOutOfRoom } from './verdicts.ts';

/**
 * As many results as a node remembers for a session: with more numbers between the first change that is not
 * answered and the last, that first one could not be asked for again.
 */
const WINDOW = 1_024;

/** Answers to `session` of a node whose stage has none: changes are then sent as they are, and never repeated. */
const WITHOUT_SESSIONS: ReadonlySet<string> = new Set(['WRONG_STAGE', 'UNKNOWN_OP', 'BAD_REQUEST']);

/** Milliseconds until a cluster that has no room for another session is asked again. */
const NO_ROOM = 10_000;

/** Whoever sends what the session has numbered. */
export interface SessionOwner {
  submit(call: Call, signal: undefined): void;
  /** The call may be sent now. */
  release(call: Call): void;
  /** There is no session, and this call was never sent. */
  refuse(call: Call, error: ClientError): void;
  /** Whether this answer stays what it is until a person does something, who is to hear it at once. */
  isUpToAPerson(error: ClientError): boolean;
}

/**
 * The client's session: it numbers every change, so that one that was sent and not answered can be sent again and
 * still happens once (thesis §6.3).
 *
 * The first change asks for it, and waits; a client that only reads has none. A node that remembers nothing of it any
 * more, since it was not used for so long, refuses a change without executing it: a new session is begun, and the
 * change gets a number there, unless an earlier attempt went unanswered: whether that one happened nobody can tell.
 *
 * Where there is no session to be had, changes are sent as they are: none of them is repeated once it was sent.
 */
export class Session {
  readonly #owner: SessionOwner;
  /** Seconds without use after which the cluster may forget it. */
  readonly #ttl: number | undefined;
  #id: number | undefined;
  #seq = 0;
  /** Milliseconds without use after which we no longer rely on it. */
  #patience = 0;
  #usedAt = 0;
  /** Until when changes go without: for as long as we speak to a node that has none, or while there is no room for another. */
  #absentUntil = 0;
  #asking: Call | undefined;
  /** Changes without a number: there is no session yet, or the window is full. */
  readonly #held = new Fifo<Call>();
  /** Changes with a number of this session, the lowest first, and of those settled only such as came behind it. */
  readonly #numbered = new Fifo<Call>();

  constructor(owner: SessionOwner, ttl: number | undefined) {
    this.#owner = owner;
    this.#ttl = ttl;
  }

  /** Changes that wait for a number. */
  get held(): Iterable<Call> {
    return this.#held;
  }

  get isIdle(): boolean {
    return this.#held.size === 0;
  }

  /** Why there is no session yet, as the node asked for one has put it. */
  get refusal(): ClientError | undefined {
    return this.#asking?.lastError;
  }

  /** Takes a change, and gives it to its owner when it has a number, or needs none. */
  take(call: Call): void {
    this.#held.push(call);
    this.advance();
  }

  /** Goes on after something was settled. */
  advance(): void {
    for (let call = this.#held.first; call !== undefined; call = this.#held.first) {
      if (!call.isSettled && !this.#isReady(call)) return;
      this.#held.shift();
      if (call.isSettled) continue;
      if (this.#id !== undefined) this.#number(call, this.#id);
      this.#owner.release(call);
    }
  }

  #isReady(call: Call): boolean {
    if (performance.now() < this.#absentUntil) return true;
    while (this.#numbered.first?.isSettled) this.#numbered.shift();
    const lowest = this.#numbered.first?.once?.seq;
    // Unused for long it may be gone: a new one now spares the question whether a lost attempt has happened.
    if (lowest === undefined && performance.now() - this.#usedAt > this.#patience) this.#id = undefined;
    if (this.#id === undefined) {
      this.#ask(call.timeout);
      return false;
    }
    return lowest === undefined || this.#seq + 1 - lowest < WINDOW;
  }

  #number(call: Call, session: number): void {
    this.#seq += 1;
    this.#usedAt = performance.now();
    call.once = { session, seq: this.#seq };
    this.#numbered.push(call);
  }

  #ask(timeout: number): void {
    if (this.#asking !== undefined) return;
    const askedAt = performance.now();
    const settled = (outcome: () => void) => {
      this.#asking = undefined;
      outcome();
      this.advance();
    };
    this.#asking = new Call(
      { op: 'session', fields: { ttl: this.#ttl }, timeout, isOwn: true },
      reply => settled(() => this.#begin(reply as Success, askedAt)),
      error => settled(() => this.#refused(error)),
    );
    this.#owner.submit(this.#asking, undefined);
  }

  #begin({ session, ttl }: Success, askedAt: number): void {
    if (!Number.isSafeInteger(session)) {
      this.#absentUntil = Number.POSITIVE_INFINITY;
      return;
    }
    this.#id = session as number;
    this.#seq = 0;
    this.#numbered.clear();
    this.#patience = (Number(ttl) * 1_000) / 2;
    this.#usedAt = askedAt;
  }

  #refused(error: ClientError): void {
    if (WITHOUT_SESSIONS.has(error.code)) {
      this.#absentUntil = Number.POSITIVE_INFINITY;
      return;
    }
    const now = performance.now();
    // To do without costs the caller only what a lost answer costs; to wait, the change.
    if (isOutOfRoom(error)) {
      this.#absentUntil = now + NO_ROOM;
      return;
    }
    // Those that have time left go on waiting where it may help; the others are told why they waited.
    const waiting = [...this.#held];
    this.#held.clear();
    for (const call of waiting) {
      if (call.isSettled) continue;
      if (error.retry && call.deadline > now && !this.#owner.isUpToAPerson(error)) this.#held.push(call);
      else this.#owner.refuse(call, error);
    }
  }

  /** The cluster does not know this session, or not any more. */
  expired(session: number): void {
    if (this.#id === session) this.#id = undefined;
  }

  /** The next node may be of another stage. */
  disconnected(): void {
    if (this.#absentUntil === Number.POSITIVE_INFINITY) this.#absentUntil = 0;
  }
}
