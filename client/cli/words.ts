import { UsageError } from './usage-error.ts';

/** A text between quotes, at the beginning of what is looked at. */
const QUOTED = /^(?:'[^']*'|"(?:[^"\\]|\\.)*")/;

/**
 * Splits a line of the prompt into words. `'…'` is taken as it is, `"…"` as a JSON string, and whatever touches
 * belongs to one word, and a word that begins with `#` begins a comment, as in a shell. There is no other magic: a
 * backslash or a dollar is itself.
 */
export function splitWords(text: string): string[] {
  const line = withoutComment(text);
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < line.length; ) {
    const rest = line.slice(at);
    const space = /^\s+/.exec(rest);
    if (space) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at += space[0].length;
      continue;
    }
    const [piece, length] = pieceOf(rest);
    word = (word ?? '') + piece;
    at += length;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** A line without the comment that ends it. A `#` within a word or between quotes is itself. */
export function withoutComment(line: string): string {
  let isWordStart = true;
  for (let at = 0; at < line.length; ) {
    if (line[at] === '#' && isWordStart) return line.slice(0, at);
    const [quoted] = QUOTED.exec(line.slice(at)) ?? [];
    isWordStart = quoted === undefined && /\s/.test(line[at] ?? '');
    at += quoted?.length ?? 1;
  }
  return line;
}

/** The text of the quoted or bare piece that a line begins with, and the characters that it takes there. */
function pieceOf(rest: string): [text: string, length: number] {
  const quote = rest[0];
  if (quote !== '"' && quote !== "'") {
    const [bare = ''] = /^[^\s'"]+/.exec(rest) ?? [];
    return [bare, bare.length];
  }
  const match = QUOTED.exec(rest);
  if (match === null) throw new UsageError(`the quote ${quote} is not closed`);
  const [text] = match;
  if (quote === "'") return [text.slice(1, -1), text.length];
  try {
    return [JSON.parse(text) as string, text.length];
  } catch {
    throw new UsageError(`${text} is not a JSON string; in '…' everything is taken as it is`);
  }
}

/** A word as `splitWords` would read it. */
export function quoteWord(text: string): string {
  return /^[^\s'"\u0000-\u001f\u007f-\u009f]+$/.test(text) ? text : JSON.stringify(text);
}
