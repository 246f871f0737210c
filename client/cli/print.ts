import { once } from 'node:events';
import { systemWords } from './system-error.ts';

/**
 * Text as one line that a terminal may be given: control characters are written as escapes. A key may hold any, and
 * must neither break a line in two nor move the cursor.
 */
export function visible(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, unit => {
    const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };
    return short[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/**
 * A name or value as one line: bare where it is plain, otherwise quoted as in JSON. What begins with a quote is never
 * bare, so that each line has one meaning; and nothing is bare that would not be seen, as a space at its end.
 */
export function quoted(text: string): string {
  const isPlain = visible(text) === text && text !== '' && text.trim() === text && !text.startsWith('"');
  return isPlain ? text : visible(JSON.stringify(text));
}

/** Prints a line, and waits while whoever reads it is slower. */
export async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
}

/** Prints one line to standard error. */
export function complain(line: string): void {
  process.stderr.write(`raftline: ${visible(line)}\n`);
}

/** The exit status when what was asked for cannot be shown. */
const UNWRITABLE = 3;

/**
 * Ends this process when its output cannot be written: without a word where the reader has gone, as `head -1` does, and
 * otherwise saying why. What was asked for may have been done all the same.
 */
export function endWithOutput(): void {
  if (process.stdout.listenerCount('error') > 0) return;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    complain(systemWords(error, 'standard output'));
    process.exit(UNWRITABLE);
  });
}

/** `1 key`, `2 keys`, `1,000 keys`. A locale would have to be loaded first, which takes longer than most verbs do. */
export function count(number: number, one: string, many = `${one}s`): string {
  const grouped = String(number).replace(/\B(?=(?:\d{3})+$)/g, ',');
  return `${grouped} ${number === 1 ? one : many}`;
}
