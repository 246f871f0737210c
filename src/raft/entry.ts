/** One entry of the replicated log (§5.3): a command for the state machine, and the term in which its leader received it. */
export interface Entry {
  readonly index: number;
  readonly term: number;
  /** What the state machine is to do; the core never looks inside. `null` is the no-op of a new leader (§8). */
  readonly command: unknown;
  /** The entry as a record of the log, once someone has needed it: made once, then carried verbatim everywhere. */
  line?: string;
}

/** What a server must remember beside its log before it answers (Figure 2, "persistent state"). */
export interface Ballot {
  readonly term: number;
  /** The candidate that got this server's vote in this term, or null. */
  readonly vote: string | null;
}
