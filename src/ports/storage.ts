import type { Configuration } from '../raft/configuration.ts';
import type { Ballot, Entry, Position } from '../raft/entry.ts';

/** What one turn has to remember, in the order in which it must become durable: the ballot before the entries. */
export interface Batch {
  /** Counts the batches that have something to make durable; one of a commit index alone has the number of the last. */
  readonly mark: number;
  readonly ballot: Ballot | undefined;
  /** The log begins anew behind a snapshot that is on the disk: what it held does not fit (§7). */
  readonly begins?: Position | undefined;
  /** Consecutive entries. Where the first has an index that the log already holds, it replaces that entry and all after it. */
  readonly entries: readonly Entry[];
  /** The commit index, where it has moved; it is a help at restart and need not be durable when the rest is. */
  readonly commit: number | undefined;
}

/** What a node had when it last stopped. */
export interface Recovered {
  readonly ballot: Ballot;
  /** The index and term just before the first entry: 0 and 0, until a snapshot stands for the beginning of the log. */
  readonly base: Position;
  /** What the newest snapshot stands for, no earlier than the base; and the members as of then. */
  readonly snapshot?: Position;
  readonly configuration?: Configuration;
  /** Consecutive entries from `base.index` + 1. */
  readonly entries: readonly Entry[];
  /** The highest commit index that was recorded; every entry up to it is committed. */
  readonly commit: number;
  /** The node was removed from its cluster once, and so had been a member. */
  readonly wasMember?: boolean;
}

/** The size of the log as `status` shows it. */
export interface LogExtent {
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

/**
 * The disk of one node. `write` returns at once; `onDurable` tells when a batch, and with it every batch before,
 * has reached the disk. A failure to make anything durable is not reported but fatal: what the disk holds is then
 * unknown, and a node that goes on could acknowledge what it does not have.
 */
export interface Storage<State = unknown> {
  write(batch: Batch): void;
  /** Entries from `from` on, at most up to `to` and at most `bytes` of their records, but one at least. */
  read(from: number, to: number, bytes: number): readonly Entry[];
  readonly extent: LogExtent;
  /** Where a node has snapshots: from stage 7. */
  readonly snapshots?: Snapshots<State>;
  /**
   * Begins the log behind an entry for which a snapshot stands. What stands before it stays on the disk from the entry
   * after `through` on, in case that snapshot is lost.
   */
  compact?(base: Position, through: number): void;
  /** True while the disk is full: what is handed to `write` waits, and nothing new should be taken on. */
  readonly isFull: boolean;
  /** Resolves when everything written is durable and the files are closed. */
  close(): Promise<void>;
}

/** Called by a storage, always from a later turn of the event loop than the `write` that it answers. */
export interface StorageListener {
  /** Batches up to and including `mark` are durable. */
  onDurable(mark: number): void;
}

/** A snapshot on the disk, and how its file is known again. */
export interface SnapshotExtent extends Position {
  readonly bytes: number;
  readonly hash: string;
}

/** Lines from the middle of a snapshot's file, and what the whole file is. */
export interface SnapshotPiece {
  readonly lines: readonly string[];
  readonly bytes: number;
  readonly hash: string;
}

/** What a snapshot tells before its state. */
export interface SnapshotHead extends Position {
  /** The members as of that entry. */
  readonly configuration: Configuration;
  /** Where the log of the node that made it begins: a little before the snapshot, for followers that are behind. */
  readonly base: Position;
}

/** A snapshot that is coming in, piece by piece. */
export interface Incoming<State> {
  readonly position: Position;
  readonly hash: string;
  /** Bytes that have come: where the next piece has to begin. */
  readonly size: number;
  /** It is whole and on its way to the disk. */
  readonly isKept: boolean;
  /** The snapshot, once all of it has come. */
  readonly loaded: { readonly head: SnapshotHead; readonly state: State } | undefined;
  /** Takes the next lines; false when the disk has no room for them. Throws when they are not of this snapshot. */
  take(lines: readonly string[]): boolean;
}

/** The snapshots on the disk of one node. Whatever cannot be made durable is fatal, as with a log. */
export interface Snapshots<State = unknown> {
  /** The newest. */
  readonly latest: SnapshotExtent | undefined;
  /** The snapshot before the newest stands for everything up to here; the log is kept from there on. */
  readonly keepsFrom: number;
  /**
   * Writes a snapshot, a little at a time, and tells when it is durable under its name; undefined when there was no
   * room for it, or it was given up. It counts only once it is promoted.
   */
  write(
    head: SnapshotHead,
    records: Iterator<unknown>,
    done: (written: SnapshotExtent | undefined) => void,
  ): void;
  /** Gives up what is being written. */
  giveUp(): void;
  /** Makes a snapshot that is durable the newest: one of this node's own, or one that came from another. */
  promote(extent: SnapshotExtent, isOwn: boolean): void;
  /** Removes the files of all but the newest two, and those that are still needed. */
  prune(needed: readonly Position[]): void;
  /** Lines of a snapshot from a byte on, about so many bytes of them; undefined where the file is gone or damaged. */
  piece(position: Position, offset: number, most: number): SnapshotPiece | undefined;
  /** Begins to take one in, in place of any that was coming; undefined when the disk is full. */
  receive(position: Position, hash: string): Incoming<State> | undefined;
  /** Makes one that is whole durable under its name. */
  keep(incoming: Incoming<State>, done: (extent: SnapshotExtent) => void): void;
  /** Throws away what is coming in. */
  discard(): void;
}
