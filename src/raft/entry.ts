/** One entry of the replicated log (§5.3): a command for the state machine, and the term in which its leader received it. */
export interface Entry {
  readonly index: number;
  readonly term: number;
  /** What the state machine is to do. `null` is the no-op with which a leader begins its term (§8). */
  readonly command: unknown;
  /** About how many bytes it takes in the log and on the wire: what batches and windows are bounded by. */
  readonly size: number;
  /** The entry as a record of the log, once someone has needed it: made once, then carried verbatim everywhere. */
  line?: string | undefined;
}

/** What a server must remember beside its log before it answers (Figure 2, "persistent state"). */
export interface Ballot {
  readonly term: number;
  /** The candidate that got this server's vote in this term, or null. */
  readonly vote: string | null;
}

/** The index and term of an entry: which of two logs is more up to date (§5.4.1), or where a log begins. */
export interface Position {
  readonly index: number;
  readonly term: number;
}
