import { LIMITS } from '../../src/wire/limits.ts';
import type { TxnReply } from '../results.ts';
import { ask, clientVerb } from './client-verb.ts';
import { complain, print } from './print.ts';
import { UsageError } from './usage-error.ts';
import { textFromInput } from './value.ts';

export const txn = clientVerb({
  name: 'txn',
  about: 'does several operations at once, or none',
  usage: 'txn [JSON]',
  details: `Reads a transaction from standard input, as with -, or takes it as a word: when all conditions of "if" hold, the
operations of "then" are done in one revision, and if not those of "else". Prints the result of each on its line, as
JSON. Exits with 1 when the conditions did not hold.

  raftline txn <<'END'
  { "if": {"key":"/stock","value":"1"},
    "then": [{"op":"set","key":"/stock","value":"0"}, {"op":"set","key":"/orders/17","value":"me"}],
    "else": [{"op":"get","key":"/stock"}] }
  END`,
  flags: {},
  words: [0, 1],
  async perform(call, session) {
    const [word] = call.words;
    const given = word === '-' ? undefined : word;
    if (given === undefined && session.isPrompt) {
      throw new UsageError(`txn: give it behind the verb, in quotes: txn '{"then":[…]}'`);
    }
    const fields = parse(given ?? (await textFromInput('txn', LIMITS.line)));
    const reply = await ask<TxnReply>('txn', fields, call, session);
    if (!call.flags.json) {
      for (const result of reply.results) await print(JSON.stringify(result));
      if (!reply.succeeded)
        complain(`txn at ${session.client.address}: the conditions do not hold${otherwise(fields)}`);
    }
    return reply.succeeded ? 0 : 1;
  },
});

function otherwise(fields: Readonly<Record<string, unknown>>): string {
  return fields.else === undefined ? ', and nothing was done' : '; "else" was done';
}

function parse(text: string): Readonly<Record<string, unknown>> {
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`txn: this is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new UsageError('txn: a transaction is an object with "then", and perhaps "if" and "else"');
  }
  const { op = 'txn', ...fields } = input as Record<string, unknown>;
  if (op !== 'txn') throw new UsageError(`txn: this is another operation, ${JSON.stringify(op)}`);
  return fields;
}
