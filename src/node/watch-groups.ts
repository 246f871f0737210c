import type { KeyEvent, Revision } from '../kv/history.ts';
import type { Watcher } from './watcher.ts';

/** What is watched: one key, or all that begin with a prefix. */
export interface Selection {
  readonly key: string | undefined;
  readonly prefix: string;
  /** Whether events tell what was before. */
  readonly prev: boolean;
}

/** Those who watch the same. */
export class WatchGroup {
  readonly selection: Selection;
  readonly watchers = new Set<Watcher>();

  constructor(selection: Selection) {
    this.selection = selection;
  }

  /** The events of a revision that concern it. */
  select(revision: Revision): readonly KeyEvent[] {
    const { key: only, prefix } = this.selection;
    return revision.filter(({ key }) => (only === undefined ? key.startsWith(prefix) : key === only));
  }
}

/** All groups, found by the keys of events: by the key itself, and by each length that a prefix has. */
export class WatchGroups {
  readonly #byKey = new Map<string, WatchGroup>();
  readonly #byPrefix = new Map<string, WatchGroup>();
  /** How many prefixes there are of each length. */
  readonly #lengths = new Map<number, number>();

  /** The group that watches this; a new one where there is none yet. */
  of(selection: Selection): WatchGroup {
    const { key, prefix } = selection;
    const groups = key === undefined ? this.#byPrefix : this.#byKey;
    const name = nameOf(key ?? prefix, selection.prev);
    let group = groups.get(name);
    if (group === undefined) {
      group = new WatchGroup(selection);
      groups.set(name, group);
      if (key === undefined) this.#count(prefix.length, 1);
    }
    return group;
  }

  /** Forgets a group that nobody is in any more. */
  release(group: WatchGroup): void {
    if (group.watchers.size > 0) return;
    const { key, prefix, prev } = group.selection;
    const wasThere = (key === undefined ? this.#byPrefix : this.#byKey).delete(nameOf(key ?? prefix, prev));
    if (wasThere && key === undefined) this.#count(prefix.length, -1);
  }

  #count(length: number, change: number): void {
    const count = (this.#lengths.get(length) ?? 0) + change;
    if (count === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, count);
  }

  /** The groups that a revision concerns, each with its events. */
  concernedBy(revision: Revision): Map<WatchGroup, KeyEvent[]> {
    const concerned = new Map<WatchGroup, KeyEvent[]>();
    for (const event of revision) {
      for (const prev of [false, true]) {
        add(concerned, this.#byKey.get(nameOf(event.key, prev)), event);
        for (const length of this.#lengths.keys()) {
          if (length > event.key.length) continue;
          add(concerned, this.#byPrefix.get(nameOf(event.key.slice(0, length), prev)), event);
        }
      }
    }
    return concerned;
  }
}

function add(concerned: Map<WatchGroup, KeyEvent[]>, group: WatchGroup | undefined, event: KeyEvent): void {
  if (group === undefined) return;
  const events = concerned.get(group);
  if (events === undefined) concerned.set(group, [event]);
  else events.push(event);
}

function nameOf(text: string, prev: boolean): string {
  return `${prev ? 'p' : '-'}${text}`;
}
