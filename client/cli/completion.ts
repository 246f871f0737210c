import type { Client } from '../client.ts';
import { LEASE_WORDS } from './lease.ts';
import { PROMPT_WORDS } from './prompt.ts';
import { CLIENT_VERBS } from './verbs.ts';
import { quoteWord } from './words.ts';

/** Milliseconds that a person waits for Tab. */
const PATIENCE = 500;
/** Keys offered at most. */
const MOST_KEYS = 100;
/** Verbs whose first word is a key. */
const ABOUT_KEYS: ReadonlySet<string> = new Set(['get', 'set', 'remove', 'list', 'watch']);

/** What may stand where the line ends, and the part of the line that it would replace. Never fails. */
export async function complete(client: Client, line: string): Promise<[string[], string]> {
  const words = line.trimStart().split(/\s+/);
  const last = words.at(-1) ?? '';
  const [name = ''] = words;
  if (words.length === 1)
    return [startingWith(last, [...CLIENT_VERBS.map(verb => verb.name), ...PROMPT_WORDS]), last];
  const verb = CLIENT_VERBS.find(one => one.name === name);
  if (name === 'help' && words.length === 2)
    return [
      startingWith(
        last,
        CLIENT_VERBS.map(one => one.name),
      ),
      last,
    ];
  if (verb === undefined) return [[], last];
  if (last.startsWith('--'))
    return [
      startingWith(
        last,
        Object.keys(verb.flags).map(flag => `--${flag}`),
      ),
      last,
    ];
  if (words.length === 2 && name === 'lease') return [startingWith(last, LEASE_WORDS), last];
  if (words.length === 2 && ABOUT_KEYS.has(name)) return [await keys(client, last), last];
  return [[], last];
}

/** Each with a space behind it: after a whole word, the next one begins. */
function startingWith(start: string, words: readonly string[]): string[] {
  return words.filter(word => word.startsWith(start)).map(word => `${word} `);
}

/** One level of the tree at a time; a directory is offered without a space, since its keys come next. */
async function keys(client: Client, start: string): Promise<string[]> {
  try {
    const page = await client.request(
      'list',
      { prefix: start, depth: 1, limit: MOST_KEYS },
      { timeout: PATIENCE },
    );
    const found = (page.keys ?? []) as readonly string[];
    const plain = found.filter(key => quoteWord(key) === key);
    return plain.map(key => (key.endsWith('/') ? key : `${key} `));
  } catch {
    return [];
  }
}
