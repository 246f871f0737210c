import type { NodeAddress } from '../src/wire/address.ts';
import type { OpName } from '../src/wire/ops.ts';
import type { Success } from '../src/wire/reply.ts';

/** A key as it is: its value and its revisions. */
export interface Entry {
  readonly key: string;
  /** null for a directory, which `list` with a `depth` shows in place of what lies deeper. */
  readonly value: string | null;
  /** The revision that created it. */
  readonly create: number;
  /** The revision that last changed it. */
  readonly mod: number;
  /** How often it was written since its creation: 1 on creation. */
  readonly version: number;
  /** The lease that it ends with, if any. */
  readonly lease?: number;
}

/** What `get` found. An absent key has `value` null and `create`, `mod` and `version` 0. */
export interface GetReply extends Success, Entry {}

/** What a key was before a `set`. */
export interface Previous {
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
}

export interface SetReply extends Success {
  /** The revision of this write: what a later `if: { mod }` compares with. */
  readonly mod: number;
  /** What was there before, null if nothing was; only when the request asked with `prev`. */
  readonly prev?: Previous | null;
}

export interface RemoveReply extends Success {
  /** How many keys are gone by this change; 0 when there was none, which is no error. */
  readonly removed: number;
}

/** One page of `list`. */
export interface PageReply extends Success {
  readonly keys?: readonly string[];
  /** In place of `keys` when the request asked for values. */
  readonly entries?: readonly Entry[];
  /** What to give as `after` for the next page; null at the end. */
  readonly next: string | null;
}

export interface PingReply extends Success {
  readonly pong: true;
}

export interface HelpReply extends Success {
  /** Each operation of the node asked: how it is used, with an example line. */
  readonly ops: Readonly<Record<string, string>>;
}

export type Role = 'single' | 'uninitialised' | 'learner' | 'follower' | 'candidate' | 'leader';

/** Who the node is that answers. */
export interface HelloReply extends Success {
  readonly name: string;
  readonly version: string;
  /** The version of the line protocol. */
  readonly protocol: number;
  readonly node: string;
  /** null for a node that belongs to no cluster. */
  readonly cluster: string | null;
  readonly stage: number;
  readonly role: Role;
  readonly leader: NodeAddress | null;
  /** Sizes in bytes and counts that the node accepts, all inclusive. */
  readonly limits: Readonly<Record<string, number>>;
  readonly ops: readonly (OpName | (string & {}))[];
}

/** A member of the cluster as the node asked sees it. */
export interface MemberStatus extends NodeAddress {
  readonly role: 'voter' | 'learner';
  /** At the leader: the last entry that the member is known to have. */
  readonly match?: number;
  /** At the leader: how many entries the member is behind. */
  readonly lag?: number;
  /** At the leader: whether it has lately heard from the member. */
  readonly active?: boolean;
}

/** What the node asked knows of itself; indexes count log entries, sizes are bytes, `uptime` is seconds. */
export interface StatusReply extends Success {
  readonly node: string;
  readonly address: string;
  readonly version: string;
  readonly cluster: string | null;
  readonly stage: number;
  readonly role: Role;
  readonly term: number;
  readonly leader: NodeAddress | null;
  readonly commit: number;
  readonly applied: number;
  /** From stage 4: a checksum of the whole state at the index applied, the same at every node. */
  readonly hash?: string;
  readonly log: { readonly first: number; readonly last: number; readonly bytes: number };
  readonly snapshot: { readonly index: number; readonly term: number; readonly bytes: number };
  readonly keys: number;
  readonly connections: number;
  readonly watches: number;
  readonly uptime: number;
  readonly members: readonly MemberStatus[];
  /** Set once the node knows that it is a member no more. */
  readonly removed?: boolean;
  /** What a person has to mend, in words: it was removed, or other members refuse it, as one that has lost its data. */
  readonly notice?: string;
}

export interface MembersReply extends Success {
  readonly members: readonly MemberStatus[];
}

/** What the newest snapshot of the node asked stands for. */
export interface SnapshotReply extends Success {
  readonly index: number;
  readonly term: number;
}

export interface TransferReply extends Success {
  readonly leader: NodeAddress;
}

/** What a transaction came to. */
export interface TxnReply extends Success {
  /** Whether the conditions held, and so whether `then` was done, or `else`. */
  readonly succeeded: boolean;
  /** What each operation came to, in their order, as the reply to it alone would say. */
  readonly results: readonly Readonly<Record<string, unknown>>[];
}

export interface LeaseReply extends Success {
  readonly lease: number;
  /** Seconds that it lives after it was granted or renewed. */
  readonly ttl: number;
}

/** A lease that there is. */
export interface LeaseStatus {
  readonly lease: number;
  /** Seconds that it lives after it was granted or renewed. */
  readonly ttl: number;
  /** Seconds until it ends, unless it is renewed. */
  readonly left: number;
  /** How many keys end with it. */
  readonly keys: number;
}

/** One page of `leases`. */
export interface LeasesReply extends Success {
  readonly leases: readonly LeaseStatus[];
  /** What to give as `from` for the next page; null at the end. */
  readonly next: number | null;
}

/** A key was written. */
export interface SetEvent {
  readonly type: 'set';
  readonly key: string;
  readonly value: string;
  /** The revision that created it, where the node says so. */
  readonly create?: number;
  readonly mod: number;
  readonly version: number;
  /** The lease that it ends with, where the node says so. */
  readonly lease?: number;
  /** What was there before, null if nothing was; only when the watch asked with `prev`. */
  readonly prev?: Previous | null;
}

/** A key is gone: removed, or ended with its lease. It may have come with the same revision: then it was not there before. */
export interface RemoveEvent {
  readonly type: 'remove';
  readonly key: string;
  readonly mod?: number;
  readonly prev?: Previous | null;
}

export type WatchEvent = SetEvent | RemoveEvent;

/** One revision, with everything in it that concerns the watch. */
export interface EventsUpdate {
  readonly type: 'events';
  readonly rev: number;
  readonly events: readonly WatchEvent[];
}

/**
 * Everything that is there, in the order of keys, in place of all that was heard before. Later updates bring what came
 * after `rev`; an entry that is newer than that already does not go back.
 */
export interface ResetUpdate {
  readonly type: 'reset';
  readonly rev: number;
  readonly entries: readonly Entry[];
}

export type WatchUpdate = EventsUpdate | ResetUpdate;

/** A change of the cluster itself. While no leader is known, its `id` and `address` are null. */
export type ClusterEvent =
  | {
      readonly type: 'leader';
      readonly id: string | null;
      readonly address: string | null;
      readonly term: number;
    }
  | { readonly type: 'members'; readonly members: readonly MemberStatus[] };
