import { nearest } from '../../src/wire/text.ts';
import { visible } from './print.ts';

/** Verbs of the program that are none of the prompt's: they work with files, or do not end. */
export const SHELL_VERBS: readonly string[] = [
  ...['serve', 'lab', 'backup', 'restore', 'export', 'import', 'discover', 'recover', 'log', 'repl'],
];

/** What is to be said of a word that is no verb here: where it is one, or what may have been meant. */
export function unknownVerb(name: string, known: readonly string[]): string {
  if (SHELL_VERBS.includes(name))
    return `${name} is for a shell, not for this prompt: raftline ${name} --help`;
  const near = nearest(name, known);
  const hint = near === undefined ? `the verbs are ${known.join(', ')}` : `did you mean ${near}?`;
  return `there is no verb ${JSON.stringify(visible(name))}: ${hint}`;
}

/** What is to be said of a flag with no verb before or behind it. */
export function unknownFlag(flag: string): string {
  const own = ['--version', '--help', '--address', '--timeout'];
  const near = nearest(flag, own);
  const hint = near === undefined ? `without a verb there are ${own.join(', ')}` : `did you mean ${near}?`;
  return `${visible(flag)} is no flag of the program: ${hint}`;
}
