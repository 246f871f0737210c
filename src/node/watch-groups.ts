import type { KeyEvent, Revision } from '../kv/history.ts';
import type { Entry } from '../kv/store.ts';
import { News } from './news.ts';
import type { Watcher } from './watcher.ts';

/** What is watched: one key, or all that begin with a prefix. */
export interface Selection {
  readonly key: string | undefined;
  readonly prefix: string;
  /** Whether events tell what was before. */
  readonly prev: boolean;
}

/** Revisions of which a group keeps the text, for those who come to them a little later than the others. */
const KEPT = 256;
/** Characters of text that it keeps for them. */
const KEPT_CHARACTERS = 1_048_576;

/** Those who watch the same: what a revision says to them is selected and written down once. */
export class WatchGroup {
  readonly selection: Selection;
  readonly watchers = new Set<Watcher>();
  readonly #kept = new Map<number, News>();
  #characters = 0;

  constructor(selection: Selection) {
    this.selection = selection;
  }

  /** What a revision says to this group; undefined when it does not concern it. */
  newsOf(rev: number, revision: Revision, selected?: readonly KeyEvent[]): News | undefined {
    const kept = this.#kept.get(rev);
    if (kept !== undefined) return kept;
    const events = selected ?? revision.filter(({ key }) => this.#selects(key));
    if (events.length === 0) return undefined;
    const news = new News({ rev, events: events.map(event => told(event, this.selection.prev)) });
    this.#keep(rev, news);
    return news;
  }

  #selects(key: string): boolean {
    const { key: only, prefix } = this.selection;
    return only === undefined ? key.startsWith(prefix) : key === only;
  }

  #keep(rev: number, news: News): void {
    this.#kept.set(rev, news);
    this.#characters += news.text.length;
    for (const [oldest, { text }] of this.#kept) {
      if (this.#kept.size <= KEPT && this.#characters <= KEPT_CHARACTERS) return;
      this.#kept.delete(oldest);
      this.#characters -= text.length;
    }
  }
}

/** An event as it is told. */
function told({ key, entry, prev }: KeyEvent, withPrev: boolean): object {
  const before = withPrev ? { prev: prev ?? null } : {};
  if (entry === undefined) return { type: 'remove', key, ...before };
  return { type: 'set', key, ...fieldsOf(entry), ...before };
}

function fieldsOf({ value, create, mod, version, lease }: Entry): object {
  return { value, create, mod, version, ...(lease === undefined ? {} : { lease }) };
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
