import { type Configuration, initialConfiguration } from '../../src/raft/configuration.ts';
import type { Ballot, Entry } from '../../src/raft/entry.ts';
import type { Envelope } from '../../src/raft/messages.ts';
import type { Ready } from '../../src/raft/ready.ts';

/** What survives a crash. */
export interface Durable {
  readonly ballot: Ballot;
  readonly entries: readonly Entry[];
  readonly commit: number;
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

  constructor(durable: Durable) {
    this.#durable = durable;
  }

  get durable(): Durable {
    return this.#durable;
  }

  get isPending(): boolean {
    return this.#pending.length > 0;
  }

  /** Takes a turn's batch in, with the answers that wait for it. */
  write(ready: Ready): void {
    this.#pending.push(ready);
  }

  /** Makes the oldest batches durable; returns the mark reached and the answers that may leave. */
  sync(batches = this.#pending.length): { readonly mark: number; readonly answers: readonly Envelope[] } {
    const synced = this.#pending.splice(0, batches);
    for (const { mark, ballot, entries, commit } of synced) {
      const kept = entries[0] === undefined ? Number.POSITIVE_INFINITY : entries[0].index;
      this.#durable = {
        ballot: ballot ?? this.#durable.ballot,
        entries: [...this.#durable.entries.filter(({ index }) => index < kept), ...entries],
        commit: commit ?? this.#durable.commit,
      };
      this.#mark = mark;
    }
    return { mark: this.#mark, answers: synced.flatMap(({ answers }) => answers) };
  }

  /** Loses what was not synced. */
  crash(): void {
    this.#pending = [];
    this.#mark = 0;
  }
}
