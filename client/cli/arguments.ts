import minimist from 'minimist';
import { nearest } from '../../src/wire/text.ts';
import { visible } from './print.ts';
import { UsageError } from './usage-error.ts';
import type { Call, Flag, Verb } from './verb.ts';

/**
 * Reads what follows a verb. Throws a UsageError that names what is wrong.
 *
 * minimist guesses: that `-5` is a flag, that the `true` in `set /on --json true` belongs to `--json`, that `007` is
 * seven. A value is whatever its owner says it is, so the words are told from the flags here, and minimist is given
 * the flags spelt out.
 */
export function parseCall(verb: Verb, args: readonly string[]): Call {
  const end = args.indexOf('--');
  const before = end === -1 ? args : args.slice(0, end);
  const after = end === -1 ? [] : args.slice(end + 1);
  const words: string[] = [];
  const flags: string[] = [];
  for (let at = 0; at < before.length; at += 1) {
    const arg = before[at] ?? '';
    if (!arg.startsWith('--')) {
      if (words.length === 0 && /^-./.test(arg)) throw shortFlag(verb, arg);
      words.push(arg);
      continue;
    }
    const { name, flag, value } = flagOf(verb, arg);
    if (flag.type === 'boolean') {
      if (value !== undefined && value !== 'true' && value !== 'false') {
        throw wrong(verb, `--${name} is on or off and takes no value`);
      }
      flags.push(`--${name}=${value ?? 'true'}`);
    } else if (value !== undefined) {
      flags.push(arg);
    } else {
      const next = before[at + 1];
      if (next === undefined || next.startsWith('--'))
        throw wrong(verb, `--${name} needs a value (${shape(flag)})`);
      flags.push(`--${name}=${next}`);
      at += 1;
    }
  }
  if (!verb.takesCommand) words.push(...after);
  countWords(verb, words);
  return { words, flags: parseFlags(verb, flags), rest: verb.takesCommand ? after : [] };
}

function flagOf(verb: Verb, arg: string): { name: string; flag: Flag; value: string | undefined } {
  const equals = arg.indexOf('=');
  const name = arg.slice(2, equals === -1 ? undefined : equals);
  const flag = Object.hasOwn(verb.flags, name) ? verb.flags[name] : undefined;
  if (flag !== undefined) return { name, flag, value: equals === -1 ? undefined : arg.slice(equals + 1) };
  const near = nearest(name, Object.keys(verb.flags));
  const hint = near === undefined ? `its flags are ${flagNames(verb)}` : `did you mean --${near}?`;
  throw wrong(verb, `there is no flag ${visible(`--${name}`)}: ${hint}`);
}

function flagNames(verb: Verb): string {
  return [...Object.keys(verb.flags), 'help'].map(name => `--${name}`).join(', ');
}

function shortFlag(verb: Verb, arg: string): UsageError {
  const remedy = `if it is meant as it is, put -- before it`;
  return wrong(verb, `${visible(arg)} is no flag: flags are spelt out (${flagNames(verb)}); ${remedy}`);
}

function shape(flag: Flag): string {
  return flag.value ?? (flag.type === 'integer' ? 'N' : 'TEXT');
}

function countWords(verb: Verb, words: readonly string[]): void {
  const [least, most] = verb.words;
  if (words.length < least) throw wrong(verb, `something is missing: it is ${verb.usage}`);
  if (words.length > most) {
    const first = visible(words[most] ?? '');
    const remedy = verb.takesCommand ? 'put the command behind --' : 'quote what has spaces';
    throw wrong(verb, `${JSON.stringify(first)} is too much: it is ${verb.usage}; ${remedy}`);
  }
}

function parseFlags(verb: Verb, spelt: string[]): Call['flags'] {
  const names = Object.keys(verb.flags);
  const parsed: Record<string, unknown> = minimist(spelt, {
    boolean: names.filter(name => verb.flags[name]?.type === 'boolean'),
    string: names.filter(name => verb.flags[name]?.type !== 'boolean'),
  });
  const flags: Record<string, string | number | boolean | undefined> = {};
  for (const [name, flag] of Object.entries(verb.flags)) {
    const value = parsed[name];
    if (Array.isArray(value)) throw wrong(verb, `--${name} is given ${value.length} times; give it once`);
    if (flag.type === 'integer' && typeof value === 'string') flags[name] = integer(verb, name, flag, value);
    else if (value !== undefined && value !== false) flags[name] = value as string | boolean;
  }
  return flags;
}

function integer(verb: Verb, name: string, { least = 0 }: Flag, text: string): number {
  const number = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw wrong(verb, `--${name} must be an integer from ${least}, not ${JSON.stringify(visible(text))}`);
}

function wrong(verb: Verb, words: string): UsageError {
  return new UsageError(`${verb.name}: ${words} (raftline ${verb.name} --help says more)`);
}
