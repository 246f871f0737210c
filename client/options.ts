import type { Condition, ReadMode } from '../src/wire/fields.ts';

export interface ClientOptions {
  /** Milliseconds that each request may take, unless it says itself; 5,000 by default. */
  readonly timeout?: number;
  /**
   * When no node can be reached, or one waits for its cluster: true fails a request once every address was tried in
   * turn; false, the default, keeps trying until the request's deadline, which rides out a restart.
   */
  readonly failFast?: boolean;
  /**
   * From stage 6 on, changes are numbered in a session, so that one whose answer was lost is asked for again, and still
   * happens once. The first change costs one round more for it; reads cost nothing. `ttl` is how many seconds the
   * cluster remembers it while it is not used, 3,600 by default. False: no session; such a change is never repeated.
   *
   * A cluster has room for 100,000 sessions. Where it has no more, changes go without one, until there is: many programs
   * that begin and end soon should have a short `ttl`, or none.
   */
  readonly session?: boolean | { readonly ttl: number };
}

export interface CallOptions {
  /** Milliseconds until the request fails with TIMEOUT, tries again included; the client's own by default. */
  readonly timeout?: number;
  /** Ends the request at once when it is raised. What was sent by then may still happen. */
  readonly signal?: AbortSignal;
}

export interface ReadOptions extends CallOptions {
  /** "linearizable", the default, or "stale": the node's own state, at once, even without a leader. */
  readonly read?: ReadMode;
}

export interface ChangeOptions extends CallOptions {
  /** One condition or several, all of which must hold, or the change is refused with CONFLICT. */
  readonly if?: Condition | readonly Condition[];
}

export interface SetOptions extends ChangeOptions {
  /** True: the reply says what was there before. */
  readonly prev?: boolean;
  /** The number of a lease that the key ends with. Without one, a key that had one has none from then on. */
  readonly lease?: number;
}

export interface ListOptions extends ReadOptions {
  /** No further than this many levels below the prefix; deeper ones show as their directory, ending in `/`. */
  readonly depth?: number;
  /** True: entries, with values and revisions, instead of names. */
  readonly values?: boolean;
  /** Names in one page, at most 10,000: how many are asked for at a time, not how many come in all. */
  readonly limit?: number;
}

/** One operation of a `txn`. */
export type TxnOp =
  | { readonly op: 'get'; readonly key: string }
  | {
      readonly op: 'set';
      readonly key: string;
      readonly value: string;
      readonly if?: Condition | readonly Condition[];
      readonly lease?: number;
      readonly prev?: boolean;
    }
  | { readonly op: 'remove'; readonly key: string; readonly if?: Condition | readonly Condition[] }
  | { readonly op: 'remove'; readonly prefix: string; readonly if?: Condition | readonly Condition[] }
  | {
      readonly op: 'list';
      readonly prefix?: string;
      readonly depth?: number;
      readonly values?: boolean;
      readonly limit?: number;
      readonly after?: string;
    };

/** What `txn` does, all of it or nothing, in one revision. */
export interface Txn {
  /** Each names its `key`. Without any, `then` is done. */
  readonly if?: Condition | readonly Condition[];
  /** Done when all conditions hold; at most 128. */
  readonly then: readonly TxnOp[];
  /** Done when one does not; at most 128. */
  readonly else?: readonly TxnOp[];
}

export interface WatchOptions {
  /**
   * The first revision to hear of; the last one heard of + 1 to go on where an earlier watch ended. Without it, what
   * happens from the moment on when the node answers.
   */
  readonly from?: number;
  /** True: begin with a `reset`, which holds everything that is there already. Not together with `from`. */
  readonly initial?: boolean;
  /** True: each event says what was there before. */
  readonly prev?: boolean;
  /** Ends it: the iteration throws an AbortError. */
  readonly signal?: AbortSignal;
}

/** Of what is kept alive under a lease until it is let go: locks, leaderships, registrations. */
export interface KeepOptions {
  /** Seconds after which it ends when this process can no longer keep it; 10 by default. */
  readonly ttl?: number;
  /** Gives up waiting for it: the promise is rejected with an AbortError. It does not end what is held already. */
  readonly signal?: AbortSignal;
}

export interface LockOptions extends KeepOptions {
  /** What others can read of who waits or holds: host and process by default. */
  readonly value?: string;
  /** Is called each time that somebody else is found to be before in the line. */
  readonly onWait?: () => void;
}
