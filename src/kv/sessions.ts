import { failure } from '../wire/errors.ts';
import { failed, type Outcome } from '../wire/reply.ts';
import { BTree, byPair, type Pair, type Tree } from './b-tree.ts';
import { Deadlines, isDue } from './deadlines.ts';
import { Digest, type Hash, hashOfBoth, hashOfNumbers, hashOfText } from './digest.ts';

/** Results that a session remembers, … */
const MOST_RESULTS = 1_024;
/** … and characters of them: whoever asks for large ones again and again must not fill every node's memory. */
const MOST_CHARACTERS = 8_388_608;
/** Characters of a result that is not worth shortening. */
const SHORT = 512;

/** A client's number for itself, under which its changes happen once (thesis §6.3). */
export interface Session {
  readonly id: number;
  /** Seconds that it lives after its last use. */
  readonly ttl: number;
  /** When it was last used, in milliseconds of cluster time. */
  readonly used: number;
  /** The highest `seq` whose result was forgotten: nothing up to it may be carried out any more. */
  readonly floor: number;
  /** How many results it remembers, and their characters. */
  readonly results: number;
  readonly characters: number;
}

/** What a change came to, and what it was. */
export interface Result {
  readonly fingerprint: Hash;
  readonly outcome: Outcome;
}

interface Kept extends Result {
  readonly characters: number;
  readonly hash: Hash;
}

/**
 * Sessions, and what the changes under them came to. Like the keys they are a function of the log alone: a change
 * that comes twice is carried out once on every node, and a session ends at the same entry everywhere.
 */
export class Sessions {
  readonly #sessions: Tree<number, Session>;
  /** By session and `seq`. */
  readonly #results: Tree<Pair, Kept>;
  /** When to look at each: no later than it is due. A use does not move it here, since there are so many. */
  readonly #deadlines: Deadlines;
  readonly #digest: Digest;
  #last: number;

  /** None, or a copy in O(1) of others. */
  constructor(from?: Sessions) {
    this.#sessions = from === undefined ? new BTree<number, Session>() : from.#sessions.clone();
    this.#results = from === undefined ? new BTree<Pair, Kept>(undefined, byPair) : from.#results.clone();
    this.#deadlines = new Deadlines(from === undefined ? undefined : from.#deadlines);
    this.#digest = new Digest(from === undefined ? undefined : from.#digest);
    this.#last = from === undefined ? 0 : from.#last;
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

  /** All results, by session and `seq`. */
  *results(): Generator<readonly [session: number, seq: number, Result]> {
    for (const [[session, seq], result] of this.#results.entries()) yield [session, seq, result];
  }

  open(ttl: number, now: number): Session {
    this.#last += 1;
    const session = { id: this.#last, ttl, used: now, floor: 0, results: 0, characters: 0 };
    this.#put(session);
    this.#deadlines.add(deadlineOf(session), session.id);
    return session;
  }

  /** Begins a session's time anew. */
  use(session: Session, now: number): void {
    this.#replace(session, { ...session, used: now });
  }

  resultOf(session: number, seq: number): Result | undefined {
    return this.#results.get([session, seq]);
  }

  /**
   * Remembers what a change came to, which is a use. Beyond what a session may keep it forgets the oldest; where the
   * answers are too large, it remembers of the oldest only that they were carried out.
   */
  remember(session: Session, seq: number, result: Result, now: number): void {
    const { id, ttl } = session;
    let { floor, results, characters } = session;
    results += 1;
    characters += this.#keep([id, seq], result);
    if (results > MOST_RESULTS) {
      const [pair, oldest] = this.#oldest(id);
      this.#results.delete(pair);
      this.#digest.toggle(oldest.hash);
      floor = pair[1];
      results -= 1;
      characters -= oldest.characters;
    }
    if (characters > MOST_CHARACTERS) characters -= this.#shorten(id, characters - MOST_CHARACTERS);
    this.#replace(session, { id, ttl, used: now, floor, results, characters });
  }

  /** Puts a result in its place, and returns its characters. */
  #keep(pair: Pair, { fingerprint, outcome }: Result): number {
    const text = JSON.stringify(outcome);
    const hash = hashOfBoth(hashOfNumbers(...pair), hashOfBoth(fingerprint, hashOfText(text)));
    this.#results.set(pair, { fingerprint, outcome, characters: text.length, hash });
    this.#digest.toggle(hash);
    return text.length;
  }

  /**
   * Makes at least so many characters less of the results of a session, the oldest first; returns how many. Where that
   * is done, or nothing is left to shorten, a copy that is made of them finds nothing to do either, and stays equal.
   */
  #shorten(session: number, least: number): number {
    const long: [Pair, Result][] = [];
    let shorter = 0;
    for (const [pair, { fingerprint, outcome, characters, hash }] of this.#results.entries([session, 0])) {
      if (pair[0] !== session || shorter >= least) break;
      if (!outcome.ok || characters <= SHORT) continue;
      const short = carriedOut(pair, outcome.rev);
      long.push([pair, { fingerprint, outcome: short }]);
      this.#digest.toggle(hash);
      shorter += characters - JSON.stringify(short).length;
    }
    for (const [pair, result] of long) this.#keep(pair, result);
    return shorter;
  }

  #oldest(session: number): [Pair, Kept] {
    const oldest = this.#results.getPairOrNextHigher([session, 0]);
    if (oldest?.[0][0] !== session) throw new Error(`broken invariant: session ${session} has no result`);
    return oldest;
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
    for (let left = session.results; left > 0; left -= 1) {
      const [pair, oldest] = this.#oldest(session.id);
      this.#results.delete(pair);
      this.#digest.toggle(oldest.hash);
    }
    this.#digest.toggle(hashOf(session));
    this.#sessions.delete(session.id);
  }

  /** Puts back a session as it was when an image was made, before its results. */
  restore({ id, ttl, used, floor }: Pick<Session, 'id' | 'ttl' | 'used' | 'floor'>): void {
    if (this.#sessions.has(id)) throw new Error(`session ${id} is there already`);
    const session = { id, ttl, used, floor, results: 0, characters: 0 };
    this.#put(session);
    this.#deadlines.add(deadlineOf(session), id);
  }

  /** Puts back a result of a session. */
  restoreResult(id: number, seq: number, result: Result): void {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new Error(`there is no session ${id} for this result`);
    if (this.#results.has([id, seq])) throw new Error(`result ${seq} of session ${id} is there already`);
    this.remember(session, seq, result, session.used);
  }

  /** Puts back the last number. */
  restoreLast(last: number): void {
    this.#last = last;
  }

  #put(session: Session): void {
    this.#sessions.set(session.id, session);
    this.#digest.toggle(hashOf(session));
  }

  #replace(before: Session, session: Session): void {
    this.#digest.toggle(hashOf(before));
    this.#put(session);
  }
}

/** What is told of a change whose answer was too large to be remembered. */
function carriedOut([session, seq]: Pair, rev: number): Outcome {
  const words = `${seq} of session ${session} was carried out, at revision ${rev}, and its answer was too large to be remembered`;
  const details = { definite: false, done: true, rev };
  return failed(
    failure('SESSION_EXPIRED', `${words}; it was not carried out again: read what you need`, details),
  );
}

function deadlineOf({ used, ttl }: Session): number {
  return used + ttl * 1_000;
}

/** The hash of a session itself; how many results it has, each of them says. */
function hashOf({ id, ttl, used, floor }: Session): Hash {
  return hashOfNumbers(id, ttl, used, floor);
}
