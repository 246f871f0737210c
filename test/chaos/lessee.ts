import { Caller, type Client, looping, pause } from './caller.ts';
import type { ClientOptions } from './clients.ts';
import type { Answer } from './wire.ts';

const TIMEOUT = 1_000;
/** Milliseconds of a second; leases count in seconds. */
const SECOND = 1_000;
/** How often the key of a lease is looked at, in milliseconds. */
const LOOK = 40;
/** How long after its time a lease may end, in milliseconds, and until it is given up. */
const LATEST = 2_000;
const PATIENCE = 60_000;

const isOk = (answer: Answer) => typeof answer !== 'string' && answer.ok;

/**
 * Takes a lease, hangs a key on it, renews it a few times, and lets it end. The key must be there until the time of
 * the lease has passed since its last renewal, counted from when that was asked for; and be gone soon after, where
 * nothing stood in the way.
 */
export function lessee(options: ClientOptions): Client {
  const { name, dice, history, service, verdicts } = options;
  const caller = new Caller(options.addresses, dice);
  let count = 0;
  let isEnding = false;

  const step = async () => {
    const ttl = 1 + dice.below(2);
    let invoked = performance.now();
    const grant = await caller.ask({ op: 'grant', ttl, timeout: TIMEOUT });
    history.count('grant', grant);
    if (typeof grant === 'string' || !grant.ok) return;
    const { lease } = grant;
    count += 1;
    const key = `/leased/${name}/${count}`;
    const set = await caller.ask({ op: 'set', key, value: `${lease}`, lease, timeout: TIMEOUT });
    history.count('set-leased', set);
    if (!isOk(set)) return;
    /** Nobody renews it after this. */
    let latest = performance.now();
    for (let renewals = dice.below(4); renewals > 0 && !isEnding; renewals -= 1) {
      await pause(dice.below(ttl * SECOND * 0.6));
      const asked = performance.now();
      const renewed = await caller.ask({ op: 'renew', lease, timeout: TIMEOUT });
      history.count('renew', renewed);
      latest = performance.now();
      if (isOk(renewed)) invoked = asked;
      else if (typeof renewed !== 'string' && renewed.error?.code === 'LEASE_NOT_FOUND') break;
    }
    await watchItEnd(key, ttl * SECOND, invoked, latest);
  };

  const watchItEnd = async (key: string, ttl: number, invoked: number, latest: number) => {
    for (const end = latest + ttl + PATIENCE; performance.now() < end && !isEnding; await pause(LOOK)) {
      const asked = performance.now();
      const answer = await caller.ask({ op: 'get', key, timeout: TIMEOUT });
      history.count('get-leased', answer);
      if (typeof answer === 'string' || !answer.ok) continue;
      const now = performance.now();
      const isThere = answer.value !== null;
      const early = `${key} was gone ${Math.round(now - invoked)} ms after its lease of ${ttl} ms was renewed`;
      verdicts.check('no lease ends early', isThere || now >= invoked + ttl, early);
      const late = Math.round(asked - latest);
      const isLate = isThere && late > ttl + LATEST && service.isCalmSince(latest);
      verdicts.check(
        'a lease ends in time when all is well',
        !isLate,
        `${key} is there ${late} ms after its renewal, for ${ttl} ms`,
      );
      if (!isThere || isLate) return;
    }
  };

  const client = looping(step, 1, () => caller.close());
  return {
    stop: () => {
      isEnding = true;
      return client.stop();
    },
  };
}
