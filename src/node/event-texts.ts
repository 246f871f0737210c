import type { KeyEvent } from '../kv/history.ts';
import type { Entry } from '../kv/store.ts';
import { News } from './news.ts';

/** Texts that are kept for those who come to an event later than others, … */
const KEPT = 16_384;
/** … and their characters. */
const KEPT_CHARACTERS = 16_777_216;

/**
 * Events as they are told: each is written down once, however many watch it and whatever else they watch, as long as
 * they come to it at about the same time.
 */
export class EventTexts {
  /** Those that tell what was before, and those that do not, the oldest first. */
  readonly #texts = { with: new Map<KeyEvent, string>(), without: new Map<KeyEvent, string>() };
  #characters = 0;

  /** What a revision says to those whom these of its events concern. */
  newsOf(rev: number, events: readonly KeyEvent[], withPrev: boolean): News {
    const fields = { rev, events: events.map(event => told(event, withPrev)) };
    const texts = events.map((event, at) => this.#textOf(event, withPrev, fields.events[at]));
    return new News(fields, `"rev":${rev},"events":[${texts.join(',')}]`);
  }

  #textOf(event: KeyEvent, withPrev: boolean, fields: unknown): string {
    const texts = withPrev ? this.#texts.with : this.#texts.without;
    let text = texts.get(event);
    if (text === undefined) {
      text = JSON.stringify(fields);
      texts.set(event, text);
      this.#characters += text.length;
      this.#forget(texts);
    }
    return text;
  }

  #forget(texts: Map<KeyEvent, string>): void {
    for (const [oldest, { length }] of texts) {
      if (texts.size <= KEPT && this.#characters <= KEPT_CHARACTERS) return;
      texts.delete(oldest);
      this.#characters -= length;
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
