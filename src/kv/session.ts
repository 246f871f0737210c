import { encodeReply, type Outcome } from '../wire/reply.ts';
import { type Hash, hashOfBoth, hashOfNumbers, hashOfText } from './digest.ts';

/** What a change came to, and what it was. */
export interface Result {
  readonly fingerprint: Hash;
  readonly outcome: Outcome;
}

/** A result that a session remembers. */
export interface Kept extends Result {
  readonly seq: number;
  /** Characters of the outcome. */
  readonly characters: number;
  readonly hash: Hash;
}

/**
 * A client's number for itself, under which its changes happen once (thesis §6.3), with the results that it remembers.
 * It belongs to one `Sessions`, which alone changes it; a copy of those shares it until either does.
 */
export class Session {
  readonly owner: object;
  readonly id: number;
  /** Seconds that it lives after its last use. */
  readonly ttl: number;
  /** The results by `seq`, the lowest first. Most come in that order, and go in it too. */
  readonly #kept: Kept[];
  /** When it was last used, in milliseconds of cluster time. */
  #used: number;
  /** The highest `seq` whose result was forgotten: nothing up to it may be carried out any more. */
  #floor: number;
  #characters: number;
  #hash: Hash;

  constructor(
    owner: object,
    { id, ttl, used, floor }: Pick<Session, 'id' | 'ttl' | 'used' | 'floor'>,
    kept: Kept[] = [],
    characters = 0,
  ) {
    this.owner = owner;
    this.id = id;
    this.ttl = ttl;
    this.#used = used;
    this.#floor = floor;
    this.#kept = kept;
    this.#characters = characters;
    this.#hash = hashOfNumbers(id, ttl, used, floor);
  }

  /** The same session, for another owner to change. */
  copyFor(owner: object): Session {
    return new Session(owner, this, this.#kept.slice(), this.#characters);
  }

  get used(): number {
    return this.#used;
  }

  get floor(): number {
    return this.#floor;
  }

  /** Characters of the outcomes that it remembers. */
  get characters(): number {
    return this.#characters;
  }

  get results(): readonly Kept[] {
    return this.#kept;
  }

  /** The hash of the session itself, as of its last use; how many results it has, each of them says. */
  get hash(): Hash {
    return this.#hash;
  }

  resultOf(seq: number): Result | undefined {
    const found = this.#kept[this.#placeOf(seq)];
    return found?.seq === seq ? found : undefined;
  }

  use(now: number): void {
    this.#used = now;
    this.#hash = hashOfNumbers(this.id, this.ttl, now, this.#floor);
  }

  /** Remembers a result, in place of the one under the same `seq` if there is one. */
  keep(seq: number, { fingerprint, outcome }: Result): Kept {
    const text = encodeReply(undefined, outcome); // as `JSON.stringify` has it, in half the time
    const hash = hashOfBoth(hashOfNumbers(this.id, seq), hashOfBoth(fingerprint, hashOfText(text)));
    const kept: Kept = { seq, fingerprint, outcome, characters: text.length, hash };
    const place = this.#placeOf(seq);
    const before = this.#kept[place];
    if (before?.seq === seq) {
      this.#kept[place] = kept;
      this.#characters -= before.characters;
    } else if (place === this.#kept.length) this.#kept.push(kept);
    else this.#kept.splice(place, 0, kept);
    this.#characters += kept.characters;
    return kept;
  }

  /** Forgets the result with the lowest `seq`, and from then on whatever was up to it. */
  forgetOldest(): Kept {
    const oldest = this.#kept.shift();
    if (oldest === undefined) throw new Error(`broken invariant: session ${this.id} has no result`);
    this.#characters -= oldest.characters;
    this.#floor = oldest.seq;
    return oldest;
  }

  /** Where the result of a `seq` is, or would be. */
  #placeOf(seq: number): number {
    let end = this.#kept.length;
    const newest = this.#kept[end - 1];
    if (newest === undefined || newest.seq < seq) return end;
    let start = 0;
    while (start < end) {
      const middle = (start + end) >>> 1;
      if ((this.#kept[middle] as Kept).seq < seq) start = middle + 1;
      else end = middle;
    }
    return start;
  }
}
