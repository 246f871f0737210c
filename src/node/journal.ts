import type { Store } from '../kv/store.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Batch, LogExtent, Storage, StorageListener } from '../ports/storage.ts';
import type { Entry, Position } from '../raft/entry.ts';
import type { BallotFile } from './ballot-file.ts';
import type { SegmentedLog } from './segmented-log.ts';
import type { SnapshotFiles } from './snapshot-files.ts';

/** Milliseconds between two looks whether a full disk has room again. */
const RETRY = 1_000;
/** Milliseconds that a commit point waits for entries to be written with. */
const IDLE = 200;

/** What an opened data directory hands to its journal. */
export interface JournalParts {
  readonly log: SegmentedLog;
  readonly ballots: BallotFile;
  readonly snapshots: SnapshotFiles;
  readonly clock: Clock;
  /** The term of the last entry, the term of the last ballot, and the last commit point. */
  readonly lastTerm: number;
  readonly ballotTerm: number;
  readonly commit: number;
  /** Is told of a failure after which the node must end. */
  readonly fatal: (error: Error) => void;
  /** Lets go of the directory, when everything is closed. */
  readonly release: () => void;
}

/**
 * The disk of a node: a log in segments, and the ballot beside it.
 *
 * A batch is one synchronous write into the page cache, which takes microseconds, and one `fdatasync`, which takes
 * a thousand times as long and so runs beside everything else. Only one is under way at a time: what is written
 * meanwhile is not covered by it (it may have been begun before), so the next one starts when it ends and covers
 * all of that together. The busier the node, the more batches share a sync.
 *
 * Batches are written in order, and now and then the first has to wait, with all the others behind it: until its
 * ballot is durable (a log must not have entries of a term that the node, after a crash, would not know of), until
 * the full segment before it is durable and the next one exists, or until a full disk has room again.
 *
 * A failed sync is never repeated. The kernel may have marked the pages clean, and then a second call reports
 * success for bytes that are lost (Rebello et al., ATC'20). The process ends, and what others have of the log counts.
 */
export class Journal implements Storage<Store> {
  readonly #log: SegmentedLog;
  readonly #parts: JournalParts;
  readonly #listener: StorageListener;

  /** Batches that could not be written yet. */
  readonly #queue: Batch[] = [];
  /** The last entry, the last term and the highest commit index that were handed in, written or not. */
  #handed: { index: number; term: number; ballotTerm: number; commit: number };
  /** The commit index as of the last batch written, and the highest one in the log. */
  #commit: number;
  #recordedCommit: number;
  /** The batch at the head of the queue whose ballot is durable. */
  #balloted: Batch | undefined;
  /** What keeps the head of the queue waiting, until someone calls `#passed`. */
  #obstacle: 'ballot' | 'segment' | 'space' | undefined;

  /** The last batch written, and the last one reported. */
  #written = 0;
  #durable = 0;
  /** The batch with which the log began anew, until what stood before can go. */
  #begun: { readonly mark: number; readonly base: Position } | undefined;
  #isSyncing = false;
  #isDead = false;
  #retry: Timer | undefined;
  #idle: Timer | undefined;
  #whenAtRest: (() => void) | undefined;

  constructor(parts: JournalParts, listener: StorageListener) {
    const { log, lastTerm, ballotTerm, commit } = parts;
    this.#parts = parts;
    this.#log = log;
    this.#listener = listener;
    this.#handed = { index: log.last, term: lastTerm, ballotTerm, commit };
    this.#commit = commit;
    this.#recordedCommit = commit;
  }

  get isFull(): boolean {
    return this.#obstacle === 'space';
  }

  get extent(): LogExtent {
    return this.#log.extent;
  }

  get snapshots(): SnapshotFiles {
    return this.#parts.snapshots;
  }

  write(batch: Batch): void {
    if (this.#isDead) return;
    this.#admit(batch);
    this.#queue.push(batch);
    this.#advance();
  }

  /** What a batch asks for must fit what the log then has: a core that is wrong about that must not go on. */
  #admit({ ballot, begins, entries, commit }: Batch): void {
    const handed = this.#handed;
    if (ballot !== undefined) handed.ballotTerm = ballot.term;
    if (begins !== undefined) {
      if (begins.index <= handed.commit)
        throw new Error(`journal: back to ${begins.index} from ${handed.commit}`);
      handed.index = begins.index;
      handed.term = begins.term;
      handed.commit = begins.index;
    }
    const first = entries[0];
    if (first !== undefined && first.index <= handed.index) {
      if (first.index <= Math.max(handed.commit, this.#log.base.index)) {
        throw new Error(`journal: entry ${first.index} would replace a committed one`);
      }
      handed.index = first.index - 1;
      handed.term = 0;
    }
    for (const { index, term } of entries) {
      if (index !== handed.index + 1) throw new Error(`journal: entry ${index} after ${handed.index}`);
      if (term < handed.term) throw new Error(`journal: entry ${index} of term ${term} after ${handed.term}`);
      handed.index = index;
      handed.term = term;
    }
    if (handed.term > handed.ballotTerm) {
      throw new Error(`journal: an entry of term ${handed.term}, but a ballot of term ${handed.ballotTerm}`);
    }
    if (commit === undefined) return;
    if (commit > handed.index) throw new Error(`journal: commit ${commit} beyond entry ${handed.index}`);
    handed.commit = Math.max(handed.commit, commit);
  }

  /** Writes what can be written, and sees to it that it becomes durable. */
  #advance(): void {
    if (this.#isDead) return;
    try {
      while (this.#obstacle === undefined) {
        const batch = this.#queue[0];
        if (batch === undefined || !this.#prepare(batch) || !this.#append(batch)) break;
        this.#queue.shift();
        this.#written = batch.mark;
      }
      this.#sync();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Whether nothing stands before a batch; if something does, begins to clear it away. */
  #prepare(batch: Batch): boolean {
    if (batch.ballot !== undefined && this.#balloted !== batch) {
      this.#obstacle = 'ballot';
      const isBegun = this.#parts.ballots.store(batch.ballot, error => {
        this.#balloted = batch;
        this.#passed(error);
      });
      if (!isBegun) this.#waitForSpace();
      return false;
    }
    if (batch.entries.length === 0 || !this.#log.wantsSegment) return true;
    // Until the old segment is durable the batch waits in the queue, and `#sync` sees to the rest.
    if (this.#isSyncing || !this.#log.isWhollyDurable) return false;
    this.#obstacle = 'segment';
    if (!this.#log.beginSegment(error => this.#passed(error))) this.#waitForSpace();
    return false;
  }

  /** Writes the entries of a batch; false when the disk is full. */
  #append({ mark, begins, entries, commit = 0 }: Batch): boolean {
    if (begins !== undefined) {
      if (!this.#log.restart(begins)) {
        this.#waitForSpace();
        return false;
      }
      this.#begun = { mark, base: begins };
      this.#commit = begins.index;
      this.#recordedCommit = begins.index;
    }
    const reached = Math.max(this.#commit, commit);
    if (entries.length > 0) {
      const isNews = reached > this.#recordedCommit;
      if (!this.#log.append(entries, isNews ? reached : undefined)) {
        this.#waitForSpace();
        return false;
      }
      this.#recordedCommit = reached;
    } else if (reached > this.#recordedCommit) {
      // Alone it is not worth a write, let alone a sync: entries will come that it can go with.
      this.#idle ??= this.#parts.clock.after(IDLE, () => this.#recordCommit());
    }
    this.#commit = reached;
    return true;
  }

  #recordCommit(): void {
    this.#idle = undefined;
    if (this.#isDead || this.#commit <= this.#recordedCommit) return;
    try {
      if (this.#log.append([], this.#commit)) this.#recordedCommit = this.#commit;
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #sync(): void {
    if (this.#isSyncing) return;
    const mark = this.#written;
    // With no obstacle and yet a queue, the head waits for a segment that is full to be durable to its end.
    const isFullSegment = this.#queue.length > 0 && this.#obstacle === undefined;
    if (isFullSegment ? !this.#log.isWhollyDurable : !this.#log.isDurable) {
      this.#isSyncing = true;
      this.#log.sync(error => {
        this.#isSyncing = false;
        this.#durableTo(mark, error);
      });
    } else if (mark > this.#durable) {
      // A ballot, which is durable already, or only a commit point: never reported from within `write`.
      this.#parts.clock.soon(() => this.#durableTo(mark, null));
    }
  }

  #durableTo(mark: number, error: Error | null): void {
    if (error !== null) this.#fail(error);
    if (mark > this.#durable && !this.#isDead) {
      this.#durable = mark;
      this.#dropOld();
      this.#listener.onDurable(mark);
    }
    this.#advance();
    this.#rest();
  }

  /** What the head of the queue waited for has happened, or failed. */
  #passed(error: Error | null): void {
    if (error !== null) this.#fail(error);
    this.#retry?.stop();
    this.#obstacle = undefined;
    this.#advance();
    this.#rest();
  }

  #waitForSpace(): void {
    this.#obstacle = 'space';
    this.#retry?.stop();
    this.#retry = this.#parts.clock.after(RETRY, () => this.#passed(null));
  }

  #fail(error: Error): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.#parts.fatal(error);
  }

  read(from: number, to: number, bytes: number): readonly Entry[] {
    const { base, last } = this.#log;
    if (from <= base.index || from > this.#handed.index) {
      throw new RangeError(`journal: no entry ${from} in ${base.index + 1} to ${this.#handed.index}`);
    }
    // What waits to be written is newer than what the disk has under the same index.
    let end = Math.min(to, last);
    for (const { entries } of this.#queue.toReversed()) {
      const first = entries[0]?.index ?? Number.POSITIVE_INFINITY;
      if (first <= from) return entries.slice(from - first, from - first + 1);
      end = Math.min(end, first - 1);
    }
    return this.#log.read(from, end, bytes);
  }

  compact(base: Position, through: number): void {
    if (this.#isDead) return;
    try {
      this.#log.compact(base, through, error => {
        if (error) this.#fail(error);
      });
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** The log has begun anew, and the disk knows: what stood before belongs to nothing any more. */
  #dropOld(): void {
    if (this.#begun === undefined || this.#begun.mark > this.#durable) return;
    const { base } = this.#begun;
    this.#begun = undefined;
    this.compact(base, base.index);
  }

  /** Batches that wait for a full disk are tried once more and then given up: nobody was told that they are durable. */
  async close(): Promise<void> {
    await new Promise<void>(resolve => {
      if (this.#obstacle === 'space') this.#passed(null);
      this.#whenAtRest = resolve;
      this.#rest();
    });
    this.#idle?.stop();
    this.#retry?.stop();
    this.#recordCommit();
    try {
      if (!this.#isDead) this.#log.syncNow();
    } catch (error) {
      this.#fail(error as Error);
    }
    this.#isDead = true;
    await this.#parts.snapshots.close();
    this.#log.close();
    this.#parts.ballots.close();
    this.#parts.release();
  }

  /** Lets `close` go on once nothing is under way any more. */
  #rest(): void {
    const isDone = this.#queue.length === 0 && this.#durable >= this.#written;
    const isOver = isDone || this.#isDead || this.#obstacle === 'space';
    if (isOver && !this.#isSyncing) this.#whenAtRest?.();
  }
}
