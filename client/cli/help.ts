import { VERSION } from '../../src/wire/version.ts';
import type { Verb } from './verb.ts';

/** The page of the whole program. */
export function programHelp(verbs: readonly Verb[]): string {
  return `raftline ${VERSION}, a replicated configuration store

usage: raftline VERB …

${columns(verbs.map(({ usage, about }) => [usage, about]))}

${paragraphs(`Verbs that ask a node take --address A[,B…] (or RAFTLINE_ADDRESS; 127.0.0.1:7001 by default) and --timeout MS.
With a terminal and no verb, raftline opens the prompt. raftline VERB --help says more of each; raftline --version
prints the version. Exit status: 0 done, 1 the answer is no, 2 wrong usage or bad request, 3 no answer, or
nowhere to write it, 4 denied.`)}`;
}

/** What the prompt says to `help`. */
export function promptHelp(verbs: readonly Verb[]): string {
  const rows = verbs.map(({ usage, about }): [string, string] => [usage, about]);
  const own: [string, string][] = [
    ['{"op":"get","key":"/k"}', 'a line of the protocol, sent as it is; the reply as it comes'],
    ['help [VERB]', 'this, or more of one'],
    ['quit', 'leave (also Ctrl-D)'],
  ];
  return `${columns([...rows, ...own])}\n\nQuote what has spaces: set /greeting "good morning". Tab completes verbs and keys.`;
}

/** The page of one verb. */
export function verbHelp(verb: Verb): string {
  const flags = Object.entries(verb.flags).map(([name, { type, value, about }]): [string, string] => {
    const operand = type === 'boolean' ? '' : ` ${value ?? (type === 'integer' ? 'N' : 'TEXT')}`;
    return [`--${name}${operand}`, about];
  });
  const parts = [hanging('usage: raftline ', verb.usage), sentence(verb.about)];
  if (verb.details !== undefined) parts.push(paragraphs(verb.details));
  if (flags.length > 0) parts.push(`flags:\n${columns(flags)}`);
  return parts.join('\n\n');
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** Characters of a line of help. */
const WIDTH = 96;

/** Text with its paragraphs wrapped; lines that are set in are examples, and stay as they are. */
function paragraphs(text: string): string {
  const wrapped = text.split('\n\n').map(paragraph => {
    const lines = paragraph.split('\n');
    const words = lines.filter(line => !line.startsWith(' ')).join(' ');
    const examples = lines.filter(line => line.startsWith(' '));
    return [...(words === '' ? [] : wrap(words, WIDTH)), ...examples].join('\n');
  });
  return wrapped.join('\n\n');
}

/** A text behind a head, its further lines set in as far as the head is long. */
function hanging(head: string, text: string): string {
  return `${head}${wrap(text, WIDTH - head.length).join(`\n${' '.repeat(head.length)}`)}`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? word : ` ${word}`;
  }
  return [...lines, line];
}

/** The longest left side that still has its right side on the same line. */
const WIDEST = 26;

function columns(rows: readonly (readonly [string, string])[]): string {
  const fitting = rows.map(([left]) => left.length).filter(length => length <= WIDEST);
  const width = Math.max(0, ...fitting);
  const indent = ' '.repeat(width + 4);
  return rows
    .map(([left, right]) => {
      if (left.length <= width) return hanging(`  ${left.padEnd(width)}  `, right);
      return `${hanging('  ', left)}\n${hanging(indent, right)}`;
    })
    .join('\n');
}
