import { byCodePoint } from '../../src/wire/order.ts';
import { localError } from '../client-error.ts';
import type { Entry, ResetUpdate, WatchEvent } from '../results.ts';
import { watch } from './watch.ts';
import type { Wire } from './wire.ts';

/** One key of a cache that is not what it was. */
export interface CacheChange {
  readonly key: string;
  /** The key now; undefined when it is gone. */
  readonly entry: Entry | undefined;
  /** The key before; undefined when there was none. */
  readonly before: Entry | undefined;
  /** The revision of the cache once this and what came with it are in. */
  readonly rev: number;
}

/**
 * All that begins with a prefix, held here and kept current by a watch: reading it costs nothing, and it can be read
 * while no node can be reached. It is what the cluster was a moment ago, each revision as a whole; where the very
 * latest matters, ask with `client.get`.
 */
export class Cached {
  readonly prefix: string;
  /** Resolves once everything is here. Rejects when the first answer does not come, or the cache was closed before. */
  readonly ready: Promise<void>;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(changes: readonly CacheChange[]) => void>();
  readonly #stop = new AbortController();
  #rev = 0;
  #failure: Error | undefined;

  constructor(wire: Wire, prefix: string) {
    this.prefix = prefix;
    const forget = wire.keep(async () => this.close());
    this.ready = new Promise((resolve, reject) => {
      this.#follow(wire, resolve)
        .catch(error => {
          const isClosed = this.#stop.signal.aborted;
          if (!isClosed) this.#failure = error;
          reject(isClosed ? localError('SHUTTING_DOWN', 'this cache is closed', { op: 'watch' }) : error);
        })
        .finally(forget);
    });
    // Nobody has to wait for it: `failure` tells as well.
    this.ready.catch(() => {});
  }

  async #follow(wire: Wire, ready: () => void): Promise<void> {
    const { signal } = this.#stop;
    for await (const update of watch(wire, { prefix: this.prefix }, { initial: true, signal })) {
      const changes =
        update.type === 'reset'
          ? this.#reset(update)
          : update.events.flatMap(event => this.#apply(event, update.rev) ?? []);
      this.#rev = update.rev;
      ready();
      if (changes.length > 0) this.#tell(changes);
    }
  }

  /** The value of a key; undefined when there is none, or not yet. */
  get(key: string): string | undefined {
    return this.#entries.get(key)?.value ?? undefined;
  }

  /** A key with its revisions; undefined when there is none, or not yet. */
  entry(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** All of it, in the order of keys. */
  entries(): readonly Entry[] {
    return [...this.#entries.values()].sort((a, b) => byCodePoint(a.key, b.key));
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The last revision that is in it. */
  get rev(): number {
    return this.#rev;
  }

  /** Why it is no longer kept current, when a node refused to: access was denied, for one. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /**
   * Calls back with the changes of each revision, all at once and after they are in, and with what a reset made
   * different; returns what ends that. The first state is a change too: listen before `ready`, or read after it.
   */
  onChange(listener: (changes: readonly CacheChange[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stops the watch. What is here stays. */
  close(): void {
    this.#stop.abort();
  }

  #reset({ rev, entries }: ResetUpdate): CacheChange[] {
    const changes: CacheChange[] = [];
    const gone = new Map(this.#entries);
    for (const entry of entries) {
      const before = gone.get(entry.key);
      gone.delete(entry.key);
      if (before?.mod !== entry.mod || before.create !== entry.create) {
        this.#entries.set(entry.key, entry);
        changes.push({ key: entry.key, entry, before, rev });
      }
    }
    for (const [key, before] of gone) {
      this.#entries.delete(key);
      changes.push({ key, entry: undefined, before, rev });
    }
    return changes;
  }

  /** What an event changes here; undefined for a key that came and went in one revision. */
  #apply(event: WatchEvent, rev: number): CacheChange | undefined {
    const { key } = event;
    const before = this.#entries.get(key);
    if (event.type === 'remove') {
      if (!this.#entries.delete(key)) return undefined;
      return { key, entry: undefined, before, rev };
    }
    const { value, mod, version, lease } = event;
    const create = event.create ?? (version === 1 ? mod : (before?.create ?? 0));
    const entry: Entry = { key, value, create, mod, version, ...(lease !== undefined && { lease }) };
    this.#entries.set(key, entry);
    return { key, entry, before, rev };
  }

  #tell(changes: readonly CacheChange[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(changes);
      } catch (error) {
        // The listener's mistake is the program's to hear of, but the cache goes on.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
