import type { Entry } from './store.ts';

/** What a revision did to one key. */
export interface KeyEvent {
  readonly key: string;
  /** The key afterwards; undefined when it was removed. */
  readonly entry: Entry | undefined;
  /** The key before; undefined when it was absent, as it may have been before a removal in the same revision. */
  readonly prev: Entry | undefined;
}

/** One step of the store: at most one event for each key. */
export type Revision = readonly KeyEvent[];

/** How much of the past a store keeps: the latest revisions, at most so many and of so many characters. */
export interface HistoryBounds {
  readonly revisions: number;
  readonly characters: number;
}

export const UNBOUNDED_HISTORY: HistoryBounds = {
  revisions: Number.POSITIVE_INFINITY,
  characters: Number.POSITIVE_INFINITY,
};
export const DEFAULT_HISTORY: HistoryBounds = { revisions: 10_000, characters: 67_108_864 };
export const NO_HISTORY: HistoryBounds = { revisions: 0, characters: 0 };

/** Revisions in one piece. A full piece is shared by all copies, and goes as a whole. */
const PIECE = 32;
/** Characters that an event takes beside those of its key and its values, roughly. */
const EVENT_CHARACTERS = 64;

/** Some revisions, in order, and the characters of each: they are many and stay for long, so they take little. */
interface Piece {
  /** A revision of one event, as most are, is that event. */
  readonly revisions: (Revision | KeyEvent)[];
  readonly characters: number[];
}

/**
 * The latest revisions and what each did, so that whoever watches can begin in the past. It is no part of what the
 * store is (nothing that a client asks of the store depends on it, and two nodes may keep it to different bounds), but
 * it goes with the image, since a watch goes on where it was when its node comes back.
 */
export class History {
  #bounds: HistoryBounds;
  /** Revisions in order, in pieces; the first piece may begin with some that are compacted. */
  #pieces: Piece[] = [];
  /** The revision of the first item of the first piece. */
  #first = 1;
  #last = 0;
  #compacted = 0;
  #characters = 0;

  /** None, or a copy of another at a cost that does not grow with what it holds. */
  constructor(bounds: HistoryBounds, from?: History) {
    this.#bounds = bounds;
    if (from === undefined) return;
    // Only the last piece still changes.
    this.#pieces = from.#pieces.map((piece, at) => (at === from.#pieces.length - 1 ? copyOf(piece) : piece));
    this.#first = from.#first;
    this.#last = from.#last;
    this.#compacted = from.#compacted;
    this.#characters = from.#characters;
  }

  get bounds(): HistoryBounds {
    return this.#bounds;
  }

  /** Keeps no more than this from now on. */
  limit(bounds: HistoryBounds): void {
    this.#bounds = bounds;
    if (bounds.revisions === 0) this.begin(this.#last);
    this.#compact();
  }

  /** The last revision that is no longer here; 0 when all are. */
  get compacted(): number {
    return this.#compacted;
  }

  /** The last revision that is here, or would be. */
  get last(): number {
    return this.#last;
  }

  /** What a revision did; undefined when it is compacted, or still to come. */
  at(rev: number): Revision | undefined {
    if (rev <= this.#compacted || rev > this.#last) return undefined;
    const revision = this.#piece(rev).revisions[(rev - this.#first) % PIECE];
    return revision === undefined || isRevision(revision) ? revision : [revision];
  }

  #piece(rev: number): Piece {
    const piece = this.#pieces[Math.floor((rev - this.#first) / PIECE)];
    if (piece === undefined) throw new Error(`broken invariant: revision ${rev} is not in the history`);
    return piece;
  }

  /** Adds the revision after the last. */
  add(revision: Revision): void {
    this.#last += 1;
    if (this.#bounds.revisions === 0) {
      this.begin(this.#last);
      return;
    }
    const characters = revision.reduce((sum, event) => sum + this.#charactersOf(event), 0);
    let piece = this.#pieces.at(-1);
    if (piece === undefined || piece.revisions.length === PIECE) {
      piece = { revisions: [], characters: [] };
      this.#pieces.push(piece);
    }
    const [event] = revision;
    piece.revisions.push(event !== undefined && revision.length === 1 ? event : revision);
    piece.characters.push(characters);
    this.#characters += characters;
    this.#compact();
  }

  #charactersOf({ key, entry, prev }: KeyEvent): number {
    // A value from before that a revision here has brought is there already.
    const before = prev === undefined || prev.mod > this.#compacted ? 0 : prev.value.length;
    return EVENT_CHARACTERS + key.length + (entry?.value.length ?? 0) + before;
  }

  /** Begins after a revision, with nothing of what was before. */
  begin(rev: number): void {
    this.#pieces = [];
    this.#first = rev + 1;
    this.#last = rev;
    this.#compacted = rev;
    this.#characters = 0;
  }

  #compact(): void {
    const { revisions, characters } = this.#bounds;
    while (this.#last - this.#compacted > revisions || this.#characters > characters) {
      this.#compacted += 1;
      this.#characters -=
        this.#piece(this.#compacted).characters[(this.#compacted - this.#first) % PIECE] ?? 0;
      if (this.#compacted - this.#first + 1 < PIECE) continue;
      this.#pieces.shift();
      this.#first += PIECE;
    }
  }
}

function copyOf({ revisions, characters }: Piece): Piece {
  return { revisions: [...revisions], characters: [...characters] };
}

function isRevision(kept: Revision | KeyEvent): kept is Revision {
  return Array.isArray(kept);
}
