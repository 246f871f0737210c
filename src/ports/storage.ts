import type { Ballot, Entry } from '../raft/entry.ts';

/** What one turn has to remember, in the order in which it must become durable: the ballot before the entries. */
export interface Batch {
  /** Counts the batches of a node, from 1. */
  readonly mark: number;
  readonly ballot: Ballot | undefined;
  /** Consecutive entries. Where the first has an index that the log already holds, it replaces that entry and all after it. */
  readonly entries: readonly Entry[];
  /** The commit index, where it has moved; it is a help at restart and need not be durable when the rest is. */
  readonly commit: number | undefined;
}

/** What a node had when it last stopped. */
export interface Recovered {
  readonly ballot: Ballot;
  /** The index and term just before the first entry: 0 and 0, until a snapshot stands in for a prefix of the log. */
  readonly base: { readonly index: number; readonly term: number };
  /** Consecutive entries from `base.index` + 1. */
  readonly entries: readonly Entry[];
  /** The highest commit index that was recorded; every entry up to it is committed. */
  readonly commit: number;
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
export interface Storage {
  write(batch: Batch): void;
  /** Entries from `from` on, at most up to `to` and at most `bytes` of their records, but one at least. */
  read(from: number, to: number, bytes: number): readonly Entry[];
  readonly extent: LogExtent;
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
