import type { Ballot, Entry, Position } from './entry.ts';
import type { Envelope, Install } from './messages.ts';

/** Reads that were asked for under `number` may be answered once `index` is applied here (thesis §6.4). */
export interface ReadGrant {
  readonly number: number;
  readonly index: number;
}

/** What a turn of the core asks of its host. The host sends `messages`, writes, and applies `committed`, in any order. */
export interface Ready {
  /** Counts the turns that had something to make durable. The host reports `stored(mark)` when that has happened. */
  readonly mark: number;
  /** To be written, and durable before `entries` are. */
  readonly ballot: Ballot | undefined;
  /** To be written, and durable before `entries` are: the log begins anew behind a snapshot that it does not fit (§7). */
  readonly begins: Position | undefined;
  /** To be written; where the first has the index of an entry already written, it replaces that and all after it. */
  readonly entries: readonly Entry[];
  /** The commit index, where it has moved; worth writing, not worth waiting for. */
  readonly commit: number | undefined;
  /** To be sent at once. */
  readonly messages: readonly Envelope[];
  /** To be sent once `mark` is durable. */
  readonly answers: readonly Envelope[];
  /** To be applied, in order. */
  readonly committed: readonly Entry[];
  readonly reads: readonly ReadGrant[];
  /** Pieces of a snapshot that have arrived, to be put together. */
  readonly pieces: readonly Install[];
}
