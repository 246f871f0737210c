import type { Entry } from './entry.ts';

/** Every message carries its sender's term (§5.1). */
interface Termed {
  readonly term: number;
}

/**
 * AppendEntries (Figure 2): the entries that follow `prevIndex`, for a follower whose entry there has `prevTerm`.
 * Where they are too old for the leader's memory, `stored` says what to read from disk instead, and the host fills
 * `entries` with as much of it as a batch holds.
 */
export interface Append extends Termed {
  readonly type: 'append';
  readonly prevIndex: number;
  readonly prevTerm: number;
  readonly entries: readonly Entry[];
  readonly stored?: { readonly from: number; readonly to: number };
  /** The leader's commit index. */
  readonly commit: number;
}

/** The follower's log agrees with the leader's up to `match`, and is durable up to there. */
export interface Appended extends Termed {
  readonly type: 'appended';
  readonly match: number;
}

/**
 * The follower has no entry at `prevIndex` of the term named. `hint` is the last place where its log can still agree
 * with the leader's, and `hintTerm` the term of its entry there.
 */
export interface AppendRefused extends Termed {
  readonly type: 'append-refused';
  readonly prevIndex: number;
  readonly hint: number;
  readonly hintTerm: number;
}

/**
 * The leader is alive. `commit` goes no further than what this follower is known to hold. `round` counts the
 * leader's rounds of heartbeats: an answer to round n says that it still led when round n began.
 */
export interface Heartbeat extends Termed {
  readonly type: 'heartbeat';
  readonly commit: number;
  readonly round: number;
}

export interface HeartbeatAnswer extends Termed {
  readonly type: 'heartbeat-answer';
  readonly round: number;
}

/**
 * A follower asks for the index that its reads have to wait for (thesis §6.4). It has used `number` for nothing
 * else, not even before it was last started: the answer to that may still come.
 */
export interface ReadIndex extends Termed {
  readonly type: 'read-index';
  readonly number: number;
}

/** The leader's answer: a read that asked under `number` may be served once `index` is applied. */
export interface ReadIndexAnswer extends Termed {
  readonly type: 'read-index-answer';
  readonly number: number;
  readonly index: number;
}

/**
 * RequestVote (Figure 2). With `pre`, a question only: would you vote for me in this term, which I have not begun
 * (thesis §9.6)? With `transfer`, the leader itself has asked for this election (thesis §3.10).
 */
export interface RequestVote extends Termed {
  readonly type: 'request-vote';
  readonly pre: boolean;
  readonly transfer: boolean;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

/** `term` is the voter's own, save where it grants a pre-vote: then it is the term asked for. */
export interface Vote extends Termed {
  readonly type: 'vote';
  readonly pre: boolean;
  readonly granted: boolean;
}

/** The leader asks its chosen successor to hold an election at once (thesis §3.10). */
export interface TimeoutNow extends Termed {
  readonly type: 'timeout-now';
}

/**
 * InstallSnapshot (§7, Figure 13): a piece of the snapshot that stands for everything up to `lastIndex`, from a byte
 * of its file on. The host fills in its lines, and how the whole file is known again.
 */
export interface Install extends Termed {
  readonly type: 'install';
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly offset: number;
  readonly piece: readonly string[];
  /** The bytes of the file, and its checksum: pieces of another file are not mixed with this one's. */
  readonly bytes: number;
  readonly hash: string;
}

/** The follower has so many bytes of that snapshot: the next piece is to begin there. */
export interface Installed extends Termed {
  readonly type: 'installed';
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly offset: number;
}

export type ReplicationMessage = Append | Appended | AppendRefused;
export type HeartbeatMessage = Heartbeat | HeartbeatAnswer | ReadIndex | ReadIndexAnswer;
export type ElectionMessage = RequestVote | Vote | TimeoutNow;
export type SnapshotMessage = Install | Installed;
export type Message = ReplicationMessage | HeartbeatMessage | ElectionMessage | SnapshotMessage;

/** A message and where it goes. */
export interface Envelope {
  readonly to: string;
  readonly message: Message;
}
