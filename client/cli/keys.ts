import type { Entry, GetReply, PageReply, RemoveReply, SetReply } from '../results.ts';
import { ask, clientVerb } from './client-verb.ts';
import { complain, count, print, quoted } from './print.ts';
import { UsageError } from './usage-error.ts';
import { valueFromInput } from './value.ts';

export const get = clientVerb({
  name: 'get',
  about: 'prints the value of a key',
  usage: 'get KEY',
  details: `Prints the bare value and a newline. An absent key prints nothing and exits with 1.

  raftline get /app/db
  raftline get /app/db --json        with its revisions`,
  flags: {},
  words: [1, 1],
  async perform(call, session) {
    const [key = ''] = call.words;
    const found = await ask<GetReply>('get', { key }, call, session);
    if (found.value === null) {
      complain(`get ${quoted(key)} at ${session.client.address}: there is no such key`);
      return 1;
    }
    if (!call.flags.json) await print(found.value);
    return 0;
  },
});

export const set = clientVerb({
  name: 'set',
  about: 'writes a key',
  usage: 'set KEY VALUE [--if-mod N | --if-absent] [--lease ID]',
  details: `Writes the key and prints its new revision ("mod"). A VALUE of - reads standard input, to the last byte.
With a condition that does not hold, nothing is written, and the exit status is 1.

  raftline set /app/db postgres
  raftline set /app/db mysql --if-mod 1
  raftline set /app/owner me --if-absent
  raftline set /app/cert - < cert.pem`,
  flags: {
    'if-mod': { type: 'integer', value: 'N', about: 'only if its revision is still N (0: it is absent)' },
    'if-absent': { type: 'boolean', about: 'only if there is no such key yet' },
    lease: { type: 'integer', value: 'ID', about: 'the lease that the key ends with', least: 1 },
  },
  words: [2, 2],
  async perform(call, session) {
    const [key = '', given = ''] = call.words;
    const { 'if-mod': mod, 'if-absent': absent, lease } = call.flags;
    if (mod !== undefined && absent) throw new UsageError('set: give --if-mod or --if-absent, not both');
    if (given === '-' && session.isPrompt) {
      throw new UsageError(
        'set: - reads standard input, where these commands come from; give the value itself',
      );
    }
    const value = given === '-' ? await valueFromInput() : given;
    const condition = mod !== undefined ? { mod } : absent ? { absent: true } : undefined;
    const done = await ask<SetReply>('set', { key, value, if: condition, lease }, call, session);
    if (!call.flags.json) await print(`${quoted(key)} is set, mod ${done.mod}`);
    return 0;
  },
});

export const remove = clientVerb({
  name: 'remove',
  about: 'removes a key, or all that begin with a prefix',
  usage: 'remove KEY [--prefix]',
  details: `Exits with 1 when there was nothing to remove.

  raftline remove /app/db
  raftline remove /app/ --prefix     everything that begins with /app/`,
  flags: { prefix: { type: 'boolean', about: 'remove every key that begins with KEY' } },
  words: [1, 1],
  async perform(call, session) {
    const [key = ''] = call.words;
    const { prefix, json } = call.flags;
    const done = await ask<RemoveReply>('remove', prefix ? { prefix: key } : { key }, call, session);
    if (done.removed === 0) {
      const nothing = prefix ? `no key begins with ${quoted(key)}` : 'there is no such key';
      complain(`remove ${quoted(key)} at ${session.client.address}: ${nothing}`);
      return 1;
    }
    if (!json) await print(prefix ? `${count(done.removed, 'key')} removed` : `${quoted(key)} is removed`);
    return 0;
  },
});

export const list = clientVerb({
  name: 'list',
  about: 'lists keys in order',
  usage: 'list [PREFIX] [--depth N] [--values]',
  details: `Prints a key on each line; with --values, a tab and its value behind it. A key or value is bare where it is
plain, and otherwise a JSON string: one that is empty, has a tab, a newline or another control character, begins or
ends with a space, or begins with a quote. So what begins with a quote is JSON, and all else is as it stands. With --depth, what lies deeper is shown as its
directory, ending in /. With --json there is a line for each page.

  raftline list
  raftline list /app/ --values
  raftline list / --depth 1          the top of the tree`,
  flags: {
    depth: { type: 'integer', value: 'N', about: 'no further than N levels below the prefix', least: 1 },
    values: { type: 'boolean', about: 'show values too' },
  },
  words: [0, 1],
  async perform(call, session) {
    const [prefix = ''] = call.words;
    const { depth, values, json } = call.flags;
    let after: string | undefined;
    do {
      const page = await ask<PageReply>('list', { prefix, depth, values, after }, call, session);
      const lines = page.entries?.map(entryLine) ?? page.keys?.map(quoted) ?? [];
      if (!json && lines.length > 0) await print(lines.join('\n'));
      after = page.next ?? undefined;
    } while (after !== undefined && !session.signal?.aborted);
    return 0;
  },
});

function entryLine({ key, value }: Entry): string {
  return value === null ? quoted(key) : `${quoted(key)}\t${quoted(value)}`;
}
