import { nearest } from '../../src/wire/text.ts';
import { visible } from './print.ts';

/** Verbs still to come, and the stage that brings each. */
const LATER_VERBS: ReadonlyMap<string, number> = new Map([['backup', 7]]);

/** What is to be said of a word that is no verb: when it will be, or what may have been meant. */
export function unknownVerb(name: string, known: readonly string[]): string {
  const stage = LATER_VERBS.get(name);
  if (stage !== undefined) return `${name} comes with stage ${stage}, which this version does not have yet`;
  const near = nearest(name, [...known, ...LATER_VERBS.keys()]);
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
