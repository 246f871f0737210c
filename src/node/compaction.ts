import { imageOf } from '../kv/image.ts';
import { Store } from '../kv/store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Incoming, SnapshotExtent, SnapshotHead, Snapshots, Storage } from '../ports/storage.ts';
import type { Configuration } from '../raft/configuration.ts';
import type { Entry, Position } from '../raft/entry.ts';
import type { Install } from '../raft/messages.ts';
import type { State } from '../raft/state.ts';
import { failure } from '../wire/errors.ts';
import { failed } from '../wire/reply.ts';
import { logger } from './logger.ts';
import type { Responder } from './server.ts';
import { shuttingDown } from './waiting.ts';

const log = logger('snapshots');

/** When the log is compacted: once so many entries, or so many bytes of them, were applied since the last snapshot. */
export interface CompactionLimits {
  readonly entries: number;
  readonly bytes: number;
  /** Entries before a snapshot that stay in the log, for followers that are a little behind: so many, if they are in memory. */
  readonly tail?: number;
  /** Bytes of a piece of a snapshot: what a follower takes in, in one turn. */
  readonly piece?: number;
}

export const DEFAULT_LIMITS = {
  entries: 300_000,
  bytes: 67_108_864,
  tail: 1_000,
  piece: 131_072,
} as const satisfies CompactionLimits;

/** Milliseconds until the next try when the disk had no room. */
const RETRY = 10_000;
/** Milliseconds without a piece after which one that is coming in is thrown away. */
const PATIENCE = 60_000;

/** What the core decides about snapshots, from stage 7 on. */
export interface SnapshotCore {
  readonly underWay: readonly Position[];
  compact(snapshot: Position, base: number): Position;
  forsake(snapshot: Position): void;
  received(snapshot: Position, bytes: number): void;
  wants(snapshot: Position): boolean;
  /** Whether the log on the disk has the entry that the snapshot ends with, and goes on; else it is to begin anew. */
  restore(snapshot: Position, configuration: Configuration): boolean;
}

export interface CompactionOptions {
  readonly core: SnapshotCore;
  readonly state: State;
  readonly storage: Storage<Store>;
  readonly snapshots: Snapshots<Store>;
  readonly store: Store;
  readonly clock: Clock;
  readonly limits: CompactionLimits;
  /** A snapshot has taken the place of the state: everything up to its index is applied. */
  readonly onRestored: (state: Store, index: number) => void;
  /** Has the host take a turn. */
  readonly wake: () => void;
}

/**
 * The snapshots of a node: when one is made, what is sent of it to others, and how one that comes takes the place of
 * what is here. What the log can do without is the core's to say; here it is done.
 */
export class Compaction {
  readonly #options: CompactionOptions;
  readonly #core: SnapshotCore;
  readonly #state: State;
  readonly #snapshots: Snapshots<Store>;
  readonly #clock: Clock;
  /** What was applied since the last snapshot. */
  #entries = 0;
  #bytes = 0;
  #isWriting = false;
  /** The newest snapshot has turned out to be damaged, so another is made even of the same state. */
  #isDamaged = false;
  #notBefore = Number.NEGATIVE_INFINITY;
  /** Those who asked for the snapshot that is being made, and those who asked since it was begun. */
  #asked: Responder[] = [];
  #waiting: Responder[] = [];
  #incoming: Incoming<Store> | undefined;
  #lastPiece = 0;

  constructor(options: CompactionOptions) {
    this.#options = options;
    this.#core = options.core;
    this.#state = options.state;
    this.#snapshots = options.snapshots;
    this.#clock = options.clock;
  }

  /** Compacts now, and answers when that is done. */
  request(responder: Responder): void {
    this.#waiting.push(responder);
    this.#options.wake();
  }

  applied(entry: Entry): void {
    this.#entries += 1;
    this.#bytes += entry.size;
  }

  /** After everything of a turn was applied. */
  afterTurn(): void {
    this.#dropIncoming();
    this.#keep();
    // What a snapshot says of terms, the ballot must have said before, or a restart would find it out of its time.
    if (this.#isWriting || !this.#state.isBallotDurable) return;
    const { entries, bytes } = this.#options.limits;
    const isDue = this.#entries >= entries || this.#bytes >= bytes || this.#isDamaged;
    if (this.#waiting.length > 0 || (isDue && this.#clock.now() >= this.#notBefore)) this.#begin();
  }

  #begin(): void {
    const { log: entries, snapshot, handed: index } = this.#state;
    this.#asked = this.#waiting;
    this.#waiting = [];
    if (index === snapshot.index && !this.#isDamaged) {
      this.#answer();
      return;
    }
    // What is in memory bounds the tail as well: a thousand large entries would be no small rest.
    const { tail = DEFAULT_LIMITS.tail } = this.#options.limits;
    const least = Math.max(index - tail, entries.firstCached - 1, entries.base.index);
    const base = this.#positionOf(Math.min(index, least));
    const head = { ...this.#positionOf(index), configuration: this.#state.configurationAt(index), base };
    this.#isWriting = true;
    this.#entries = 0;
    this.#bytes = 0;
    const began = this.#clock.now();
    const copy = new Store(this.#options.store);
    this.#snapshots.write(head, imageOf(copy), extent => {
      this.#isWriting = false;
      log('entry %d: %o, %d ms', index, extent, this.#clock.now() - began);
      this.#written(head, extent);
    });
  }

  #positionOf(index: number): Position {
    const term = this.#state.log.termAt(index);
    if (term === undefined) throw new Error(`broken invariant: ${index} is applied, and not in the log`);
    return { index, term };
  }

  #written({ index, base }: SnapshotHead, extent: SnapshotExtent | undefined): void {
    const isOvertaken = index < this.#state.snapshot.index;
    if (isOvertaken) {
      this.#answer(); // a newer one has come meanwhile
    } else if (extent === undefined) {
      this.#notBefore = this.#clock.now() + RETRY;
      this.#entries = this.#options.limits.entries;
      const words =
        'the snapshot could not be written: see whether the disk of this node is full, and try again';
      for (const responder of this.#asked)
        responder.answer(failed(failure('NO_SPACE', words, { definite: false })));
      this.#asked = [];
    } else {
      this.#isDamaged = false;
      this.#snapshots.promote(extent, true);
      this.#compact(this.#core.compact(extent, base.index));
      this.#answer();
    }
    this.#options.wake();
  }

  #compact(base: Position): void {
    this.#options.storage.compact?.(base, this.#snapshots.keepsFrom);
    this.#snapshots.prune(this.#core.underWay);
  }

  #answer(): void {
    const { index, term } = this.#state.snapshot;
    const asked = this.#asked;
    this.#asked = [];
    for (const responder of asked) responder.answer({ ok: true, rev: this.#options.store.rev, index, term });
  }

  /** Fills in the lines of a piece; undefined when there are none to be had, and then the piece does not go. */
  filled(message: Install): Install | undefined {
    const { lastIndex: index, lastTerm: term, offset } = message;
    const { piece: most = DEFAULT_LIMITS.piece } = this.#options.limits;
    const found = this.#snapshots.piece({ index, term }, offset, most);
    if (found !== undefined) {
      const { lines: piece, bytes, hash } = found;
      return { ...message, piece, bytes, hash };
    }
    this.#core.forsake({ index, term });
    this.#isDamaged ||= index === this.#state.snapshot.index;
    return undefined;
  }

  /** Takes in a piece of a snapshot that the leader sends. */
  take({ lastIndex: index, lastTerm: term, offset, piece, hash }: Install): void {
    const position = { index, term };
    const incoming = this.#receiving(position, hash);
    if (incoming === undefined) return; // the leader asks again
    this.#lastPiece = this.#clock.now();
    if (offset === incoming.size && !incoming.isKept && !this.#taken(incoming, piece)) return;
    this.#core.received(position, incoming.size);
    this.#keep();
  }

  /** Keeps what has come whole. */
  #keep(): void {
    const incoming = this.#incoming;
    const loaded = incoming?.loaded;
    if (incoming === undefined || loaded === undefined || incoming.isKept || !this.#state.isBallotDurable)
      return;
    this.#snapshots.keep(incoming, extent => {
      this.#incoming = undefined;
      this.#kept(extent, loaded.head, loaded.state);
    });
  }

  /** What a piece of this snapshot is to be added to; undefined while that cannot be. */
  #receiving(position: Position, hash: string): Incoming<Store> | undefined {
    const { index, term } = position;
    const current = this.#incoming;
    if (current?.hash === hash && current.position.index === index && current.position.term === term)
      return current;
    if (current?.isKept !== true) this.#incoming = this.#snapshots.receive(position, hash);
    return current?.isKept === true ? undefined : this.#incoming;
  }

  /** Adds lines to what has come; false when all of it was thrown away. */
  #taken(incoming: Incoming<Store>, piece: readonly string[]): boolean {
    try {
      if (incoming.take(piece)) return true;
    } catch (error) {
      log('the snapshot of entry %d is refused: %s', incoming.position.index, error);
      this.#core.received(incoming.position, 0);
    }
    this.#incoming = undefined;
    this.#snapshots.discard();
    return false;
  }

  /** A snapshot that came is durable: it takes the place of what is here, unless that has overtaken it. */
  #kept(extent: SnapshotExtent, { configuration }: SnapshotHead, state: Store): void {
    if (!this.#core.wants(extent)) return;
    this.#snapshots.giveUp();
    const isContinued = this.#core.restore(extent, configuration);
    this.#snapshots.promote(extent, false);
    this.#options.onRestored(state, extent.index);
    this.#entries = 0;
    this.#bytes = 0;
    // Where the log begins anew, what was there goes when that is durable, and not before.
    if (isContinued) this.#compact(extent);
    else this.#snapshots.prune([]);
    this.#options.wake();
  }

  /** This node stops; what is being written is given up. */
  shutDown(): void {
    const asked = [...this.#asked, ...this.#waiting];
    this.#asked = [];
    this.#waiting = [];
    for (const responder of asked) responder.answer(failed(shuttingDown()));
  }

  /** Nobody sends the rest any more, or the log has brought as much. */
  #dropIncoming(): void {
    const incoming = this.#incoming;
    if (incoming === undefined || incoming.isKept) return;
    const isStale = this.#clock.now() - this.#lastPiece > PATIENCE;
    if (!isStale && this.#core.wants(incoming.position)) return;
    this.#incoming = undefined;
    this.#snapshots.discard();
  }
}
