import { nearest } from '../../src/wire/text.ts';
import type { LeaseReply, LeasesReply } from '../results.ts';
import { ask, clientVerb, type Session } from './client-verb.ts';
import { count, print, visible } from './print.ts';
import { UsageError } from './usage-error.ts';
import type { Call } from './verb.ts';

/** What `lease` does, by its first word. */
const ACTIONS: Readonly<Record<string, (call: Call, session: Session) => Promise<number>>> = {
  async grant(call, session) {
    const { lease, ttl } = await ask<LeaseReply>('grant', { ttl: numberOf(call, 'TTL') }, call, session);
    if (!call.flags.json) await print(`lease ${lease}, ${ttl} s`);
    return 0;
  },
  async renew(call, session) {
    const { lease, ttl } = await ask<LeaseReply>('renew', { lease: numberOf(call, 'ID') }, call, session);
    if (!call.flags.json) await print(`lease ${lease} is renewed, ${ttl} s`);
    return 0;
  },
  async revoke(call, session) {
    const lease = numberOf(call, 'ID');
    await ask('revoke', { lease }, call, session);
    if (!call.flags.json) await print(`lease ${lease} is revoked`);
    return 0;
  },
  async list(call, session) {
    if (call.words.length > 1) throw new UsageError('lease list: it takes nothing behind it');
    let from: number | undefined;
    do {
      const page = await ask<LeasesReply>('leases', { from }, call, session);
      const lines = page.leases.map(
        ({ lease, ttl, left, keys }) => `${lease}\t${ttl} s\t${left} s left\t${count(keys, 'key')}`,
      );
      if (!call.flags.json && lines.length > 0) await print(lines.join('\n'));
      from = page.next ?? undefined;
    } while (from !== undefined && !session.signal?.aborted);
    return 0;
  },
};

/** The words that may follow `lease`. */
export const LEASE_WORDS: readonly string[] = Object.keys(ACTIONS);

export const lease = clientVerb({
  name: 'lease',
  about: 'grants, renews, revokes or lists leases',
  usage: 'lease grant TTL | lease renew ID | lease revoke ID | lease list',
  details: `A lease ends TTL seconds after it was granted or last renewed, or when it is revoked, and keys that were set with it
end then too. Exits with 1 when there is no such lease.

  raftline lease grant 30
  raftline set /status/me up --lease 7
  raftline lease renew 7
  raftline lease revoke 7`,
  flags: {},
  words: [1, 2],
  perform(call, session) {
    const [action = ''] = call.words;
    const perform = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
    if (perform !== undefined) return perform(call, session);
    const near = nearest(action, LEASE_WORDS);
    const hint = near === undefined ? `there are ${LEASE_WORDS.join(', ')}` : `did you mean ${near}?`;
    throw new UsageError(`lease: ${JSON.stringify(visible(action))} is not known: ${hint}`);
  },
});

function numberOf({ words: [action, text = ''] }: Call, name: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(number) && number > 0) return number;
  const given =
    text === '' ? 'is missing' : `must be a positive integer, not ${JSON.stringify(visible(text))}`;
  throw new UsageError(`lease ${action}: ${name} ${given}`);
}
