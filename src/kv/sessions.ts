import { failure } from '../wire/errors.ts';
import { failed, type Outcome } from '../wire/reply.ts';
import { BTree, type Tree } from './b-tree.ts';
import { Deadlines, isDue } from './deadlines.ts';
import { Digest } from './digest.ts';
import { type Kept, type Result, Session } from './session.ts';

/** Results that a session remembers, … */
const MOST_RESULTS = 1_024;
/** … and characters of them: whoever asks for large ones again and again must not fill every node's memory. */
const MOST_CHARACTERS = 8_388_608;
/** Characters of a result that is not worth shortening. */
const SHORT = 512;

/**
 * Sessions, and what the changes under them came to. Like the keys they are a function of the log alone: a change
 * that comes twice is carried out once on every node, and a session ends at the same entry everywhere.
 */
export class Sessions {
  readonly #sessions: Tree<number, Session>;
  /** When to look at each: no later than it is due. A use does not move it here, since there are so many. */
  readonly #deadlines: Deadlines;
  readonly #digest: Digest;
  #last: number;
  /** Marks the sessions that no copy shares: those may be changed in place. */
  #owner: object = {};

  /** None, or a copy in O(1) of others. */
  constructor(from?: Sessions) {
    this.#sessions = from === undefined ? new BTree<number, Session>() : from.#sessions.clone();
    this.#deadlines = new Deadlines(from === undefined ? undefined : from.#deadlines);
    this.#digest = new Digest(from === undefined ? undefined : from.#digest);
    this.#last = from === undefined ? 0 : from.#last;
    if (from !== undefined) from.#owner = {};
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** The last number that was given to a session; none is given twice. */
  get last(): number {
    return this.#last;
  }

  /** When to look whether a session is due, in milliseconds of cluster time. */
  get nextDue(): number | undefined {
    return this.#deadlines.next;
  }

  get digest(): Digest {
    return this.#digest;
  }

  get(id: number): Session | undefined {
    return this.#sessions.get(id);
  }

  /** All sessions, in the order of their numbers. */
  *entries(): Generator<Session> {
    for (const [, session] of this.#sessions.entries()) yield session;
  }

  open(ttl: number, now: number): Session {
    this.#last += 1;
    return this.#begin({ id: this.#last, ttl, used: now, floor: 0 });
  }

  #begin(fields: Pick<Session, 'id' | 'ttl' | 'used' | 'floor'>): Session {
    const session = new Session(this.#owner, fields);
    this.#sessions.set(session.id, session);
    this.#digest.toggle(session.hash);
    this.#deadlines.add(deadlineOf(session), session.id);
    return session;
  }

  /** Begins a session's time anew. */
  use(session: Session, now: number): void {
    const own = this.#own(session);
    this.#digest.toggle(own.hash);
    own.use(now);
    this.#digest.toggle(own.hash);
  }

  /** A session as it may be changed. */
  #own(session: Session): Session {
    if (session.owner === this.#owner) return session;
    const own = session.copyFor(this.#owner);
    this.#sessions.set(own.id, own);
    return own;
  }

  /**
   * Remembers what a change came to, which is a use. Beyond what a session may keep it forgets the oldest; where the
   * answers are too large, it remembers of the oldest only that they were carried out.
   */
  remember(session: Session, seq: number, result: Result, now: number): void {
    const own = this.#own(session);
    this.#digest.toggle(own.keep(seq, result).hash);
    if (own.results.length > MOST_RESULTS) this.#digest.toggle(own.forgetOldest().hash);
    if (own.characters > MOST_CHARACTERS) this.#shorten(own);
    this.use(own, now);
  }

  /**
   * Makes the results of a session short enough, the oldest first. Where that is done, or nothing is left to shorten, a
   * copy that is made of them finds nothing to do either, and stays equal.
   */
  #shorten(session: Session): void {
    const long = session.results.filter(({ outcome, characters }) => outcome.ok && characters > SHORT);
    for (const kept of long) {
      if (session.characters <= MOST_CHARACTERS) return;
      this.#digest.toggle(kept.hash);
      this.#digest.toggle(session.keep(kept.seq, carriedOut(session.id, kept)).hash);
    }
  }

  /** Ends the sessions whose time is up. */
  end(now: number): void {
    for (const [looked, id] of this.#deadlines.due(now)) {
      this.#deadlines.delete(looked, id);
      const session = this.#sessions.get(id);
      if (session === undefined) throw new Error(`broken invariant: there is no session ${id} to end`);
      // It counts when it was last used, not when it was looked at: that is another time on a node that was restored.
      if (isDue(deadlineOf(session), now)) this.#forget(session);
      else this.#deadlines.add(deadlineOf(session), id);
    }
  }

  #forget(session: Session): void {
    for (const { hash } of session.results) this.#digest.toggle(hash);
    this.#digest.toggle(session.hash);
    this.#sessions.delete(session.id);
  }

  /** Puts back a session as it was when an image was made, before its results. */
  restore(fields: Pick<Session, 'id' | 'ttl' | 'used' | 'floor'>): void {
    if (this.#sessions.has(fields.id)) throw new Error(`session ${fields.id} is there already`);
    this.#begin(fields);
  }

  /** Puts back a result of a session. */
  restoreResult(id: number, seq: number, result: Result): void {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new Error(`there is no session ${id} for this result`);
    if (session.resultOf(seq) !== undefined)
      throw new Error(`result ${seq} of session ${id} is there already`);
    this.remember(session, seq, result, session.used);
  }

  /** Puts back the last number. */
  restoreLast(last: number): void {
    this.#last = last;
  }
}

/** What is told of a change whose answer was too large to be remembered. */
function carriedOut(session: number, { seq, fingerprint, outcome }: Kept): Result {
  const { rev } = outcome as Extract<Outcome, { ok: true }>;
  const words = `${seq} of session ${session} was carried out, at revision ${rev}, and its answer was too large to be remembered`;
  const details = { definite: false, done: true, rev };
  const short = failure(
    'SESSION_EXPIRED',
    `${words}; it was not carried out again: read what you need`,
    details,
  );
  return { fingerprint, outcome: failed(short) };
}

function deadlineOf({ used, ttl }: Session): number {
  return used + ttl * 1_000;
}
