import type { Client } from './caller.ts';
import type { ClientOptions } from './clients.ts';
import { Wire } from './wire.ts';

/** Milliseconds between two reads, and that the node has for one. */
const BETWEEN = 40;
const TIMEOUT = 5_000;
/** Reads that may wait at a node which does not answer. */
const MOST_OPEN = 100;

/**
 * Reads at one node all the time, and waits for no answer before it asks again: so there is a read in every moment in
 * which the node leads no more and has yet to hear of it. What the key holds is of no matter: every answer tells the
 * revision of the store, and that may be none below what anybody was shown before.
 */
export function onlooker({ name, history }: ClientOptions, address: string): Client {
  const wire = new Wire(address);
  const open = new Set<Promise<void>>();

  const look = async () => {
    const invoked = history.now();
    const answer = await wire.ask({ op: 'get', key: '/seen', timeout: TIMEOUT });
    history.count('look', answer);
    history.see('read', invoked, answer, `${name} looks at ${address}`);
  };

  const timer = setInterval(() => {
    if (open.size >= MOST_OPEN) return;
    const looking: Promise<void> = look().finally(() => open.delete(looking));
    open.add(looking);
  }, BETWEEN);

  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      wire.close();
    },
  };
}
