import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { VERSION } from '../../src/wire/version.ts';
import { parseCall } from './arguments.ts';
import { CLIENT_FLAGS, CONNECTION_FLAGS } from './client-flags.ts';
import { programHelp, verbHelp } from './help.ts';
import { report, titleOf } from './outcome.ts';
import { complain, endWithOutput, print } from './print.ts';
import { unknownFlag, unknownVerb } from './suggestions.ts';
import type { Verb } from './verb.ts';

/** Verbs that are loaded only when they are asked for, in the order of help. */
export type LoadedVerbs = Readonly<Record<string, () => Promise<Verb>>>;

// Those that ask a node bring the client along, which a node that starts has no use for.
const loadClientVerbs = async () => (await import('./verbs.ts')).CLIENT_VERBS;
const loadRepl = async () => (await import('./repl.ts')).repl;

/** Runs the program with its arguments, and resolves with its exit status. */
export async function runProgram(args: readonly string[], loaded: LoadedVerbs): Promise<number> {
  if (!areUtf8(args)) {
    complain('an argument is not UTF-8; keys and values are text');
    return 2;
  }
  const { verb: name, rest } = verbOf(args);
  if (name === undefined) {
    if (rest.includes('--version') || rest[0] === '-v') return show(VERSION);
    if (rest.includes('--help') || rest[0] === '-h') return help([], loaded);
    const [flag] = rest;
    if (flag !== undefined && !isConnectionFlag(flag)) {
      complain(unknownFlag(flag));
      return 2;
    }
    if (process.stdin.isTTY && process.stdout.isTTY) return run(await loadRepl(), rest);
    complain(
      'there is no verb; raftline --help lists them, and raftline repl reads commands from standard input',
    );
    return 2;
  }
  if (name === 'help') return help(rest, loaded);
  const verb = await find(name, loaded);
  return verb === undefined ? unknown(name, loaded) : run(verb, rest);
}

function isConnectionFlag(arg: string): boolean {
  return Object.keys(CONNECTION_FLAGS).some(name => arg === `--${name}` || arg.startsWith(`--${name}=`));
}

/** Node puts U+FFFD where an argument is not UTF-8. Linux tells what the bytes were; elsewhere that has to do. */
function areUtf8(args: readonly string[]): boolean {
  if (!args.some(arg => arg.includes('\ufffd'))) return true;
  try {
    return isUtf8(readFileSync('/proc/self/cmdline'));
  } catch {
    return true;
  }
}

/** Tells the verb from flags that were given before it. */
function verbOf(args: readonly string[]): { verb: string | undefined; rest: string[] } {
  let at = 0;
  for (; at < args.length; at += 1) {
    const arg = args[at] ?? '';
    if (!arg.startsWith('-') || arg === '--') break;
    const flag = CLIENT_FLAGS[arg.slice(2)];
    if (flag !== undefined && flag.type !== 'boolean') at += 1;
  }
  return { verb: args[at], rest: [...args.slice(0, at), ...args.slice(at + 1)] };
}

async function find(name: string, loaded: LoadedVerbs): Promise<Verb | undefined> {
  if (Object.hasOwn(loaded, name)) return loaded[name]?.();
  return name === 'repl' ? loadRepl() : (await loadClientVerbs()).find(verb => verb.name === name);
}

async function run(verb: Verb, args: readonly string[]): Promise<number> {
  let what = verb.name;
  try {
    if (wantsHelp(args)) return await show(verbHelp(verb));
    const call = parseCall(verb, args);
    what = titleOf(verb, call);
    return await verb.run(call);
  } catch (error) {
    return report(error, what);
  }
}

function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  const flags = end === -1 ? args : args.slice(0, end);
  return flags.includes('--help') || (args.length === 1 && args[0] === '-h');
}

async function help(words: readonly string[], loaded: LoadedVerbs): Promise<number> {
  const name = words.find(word => !word.startsWith('-'));
  if (name === undefined) {
    const others = await Promise.all([loadRepl, ...Object.values(loaded)].map(load => load()));
    return show(programHelp([...(await loadClientVerbs()), ...others]));
  }
  const verb = await find(name, loaded);
  return verb === undefined ? unknown(name, loaded) : show(verbHelp(verb));
}

async function show(text: string): Promise<number> {
  endWithOutput();
  await print(text);
  return 0;
}

async function unknown(name: string, loaded: LoadedVerbs): Promise<number> {
  const verbs = (await loadClientVerbs()).map(verb => verb.name);
  complain(unknownVerb(name, [...verbs, 'repl', 'help', ...Object.keys(loaded)]));
  return 2;
}
