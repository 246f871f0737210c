import { type Configuration, initialConfiguration } from '../../src/raft/configuration.ts';
import type { Ballot, Entry, Position } from '../../src/raft/entry.ts';
import type { Envelope } from '../../src/raft/messages.ts';
import type { Ready } from '../../src/raft/ready.ts';

/** What survives a crash. */
export interface Durable {
  readonly ballot: Ballot;
  /** Consecutive; where the log begins behind a snapshot, those after it. */
  readonly entries: readonly Entry[];
  readonly commit: number;
  readonly snapshot?: ModelSnapshot;
}

/** A snapshot, but for the state that it holds; and where the log begins that goes with it. */
export interface ModelSnapshot extends Position {
  readonly configuration: Configuration;
  readonly base: Position;
}

/** What a disk has at an index: the term of its entry, or that of the snapshot that stands for it. */
export function holdsAt({ entries, snapshot }: Durable, index: number, term: number): boolean {
  // Only what is committed is ever compacted, so what a snapshot stands for is the same everywhere.
  if (snapshot !== undefined && index <= snapshot.index) return true;
  return entries[index - (entries[0]?.index ?? 0)]?.term === term;
}

/** The last index that a disk holds. */
export function lastOf({ entries, snapshot }: Durable): number {
  return Math.max(entries.at(-1)?.index ?? 0, snapshot?.index ?? 0);
}

export const BLANK: Durable = { ballot: { term: 0, vote: null }, entries: [], commit: 0 };

/** The configuration in which these nodes, and no others, are the voters. */
export function membersOf(ids: readonly string[]): Configuration {
  return initialConfiguration(ids.map(id => ({ id, address: `${id}:7001` })));
}

/** A disk whose log has entries of these terms; those of one index and term are the same on every disk. */
export function diskWith(
  terms: readonly number[],
  { term, vote = null, commit = 0, size = 64 }: DiskDetails = {},
): Durable {
  const entries = terms.map((of, at) => ({ index: at + 1, term: of, command: `${at + 1}:${of}`, size }));
  return { ballot: { term: term ?? terms.at(-1) ?? 0, vote }, entries, commit };
}

export interface DiskDetails {
  /** By default that of the last entry. */
  readonly term?: number;
  readonly vote?: string | null;
  readonly commit?: number;
  /** Bytes of each entry. */
  readonly size?: number;
}

/** A disk that keeps what it was told to sync, and forgets the rest in a crash. */
export class ModelDisk {
  #durable: Durable;
  #mark = 0;
  #pending: Ready[] = [];
  /** What it was told to be committed, durably or not: nothing up to there may be replaced. */
  #committed: number;

  constructor(durable: Durable) {
    this.#durable = durable;
    this.#committed = durable.commit;
  }

  get durable(): Durable {
    return this.#durable;
  }

  get isPending(): boolean {
    return this.#pending.length > 0;
  }

  /** Takes a turn's batch in, with the answers that wait for it. */
  write(ready: Ready): void {
    const { begins, entries, commit = 0 } = ready;
    this.committed(begins?.index ?? 0);
    const first = entries[0]?.index ?? Number.POSITIVE_INFINITY;
    if (first <= this.#committed) throw new Error(`entry ${first} would replace a committed one on the disk`);
    this.committed(commit);
    this.#pending.push(ready);
  }

  /** Everything up to an index is committed. */
  committed(index: number): void {
    this.#committed = Math.max(this.#committed, index);
  }

  /** Makes the oldest batches durable; returns the mark reached and the answers that may leave. */
  sync(batches = this.#pending.length): { readonly mark: number; readonly answers: readonly Envelope[] } {
    const synced = this.#pending.splice(0, batches);
    for (const { mark, ballot, begins, entries, commit } of synced) {
      const kept = entries[0] === undefined ? Number.POSITIVE_INFINITY : entries[0].index;
      const before = begins === undefined ? this.#durable.entries : [];
      this.#durable = {
        ...this.#durable,
        ballot: ballot ?? this.#durable.ballot,
        entries: [...before.filter(({ index }) => index < kept), ...entries],
        commit: commit ?? this.#durable.commit,
      };
      this.#mark = mark;
    }
    return { mark: this.#mark, answers: synced.flatMap(({ answers }) => answers) };
  }

  /** Puts a snapshot beside the log: durable at once, since nothing is said of it before it is. */
  keep(snapshot: ModelSnapshot): void {
    this.#durable = { ...this.#durable, snapshot };
  }

  /** What a node finds when it starts: a log that goes on from its snapshot, or begins anew behind it. */
  recover(): void {
    const { snapshot, entries, commit } = this.#durable;
    if (snapshot === undefined) return;
    const { index, term, base } = snapshot;
    const there = entries.find(entry => entry.index === index);
    const first = entries[0]?.index ?? Number.POSITIVE_INFINITY;
    const isContinued = there === undefined ? first === index + 1 : there.term === term;
    const from = isContinued && first <= base.index + 1 ? base : { index, term };
    this.#durable = {
      ...this.#durable,
      snapshot: { ...snapshot, base: from },
      entries: isContinued ? entries.filter(entry => entry.index > from.index) : [],
      commit: Math.max(commit, index),
    };
  }

  /** Loses what was not synced. */
  crash(): void {
    this.#pending = [];
    this.#mark = 0;
    this.#committed = Math.max(this.#durable.commit, this.#durable.snapshot?.index ?? 0);
  }
}
