import { VERSION } from '../../src/wire/version.ts';
import type { Verb } from './verb.ts';

/** The page of the whole program. */
export function programHelp(verbs: readonly Verb[]): string {
  return `raftline ${VERSION}, a replicated configuration store

usage: raftline VERB …

${columns(verbs.map(({ usage, about }) => [usage, about]))}

Verbs that ask a node take --address A[,B…] (or RAFTLINE_ADDRESS; 127.0.0.1:7001 by default), --timeout MS, --json.
With a terminal and no verb, raftline opens the prompt. raftline VERB --help says more of each; raftline --version
prints the version. Exit status: 0 done, 1 the answer is no, 2 wrong usage or bad request, 3 no answer, 4 denied.`;
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
  const parts = [`usage: raftline ${verb.usage}`, sentence(verb.about)];
  if (verb.details !== undefined) parts.push(verb.details);
  if (flags.length > 0) parts.push(`flags:\n${columns(flags)}`);
  return parts.join('\n\n');
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** The longest left side that still has its right side on the same line. */
const WIDEST = 26;

function columns(rows: readonly (readonly [string, string])[]): string {
  const fitting = rows.map(([left]) => left.length).filter(length => length <= WIDEST);
  const width = Math.max(0, ...fitting);
  return rows
    .map(([left, right]) => {
      const gap = left.length > width ? `\n${' '.repeat(width + 4)}` : ' '.repeat(width - left.length + 2);
      return `  ${left}${gap}${right}`;
    })
    .join('\n');
}
