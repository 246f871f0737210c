import { CONNECTION_FLAGS } from '../client/cli/client-flags.ts';
import { complain, endWithOutput, print } from '../client/cli/print.ts';
import type { Call, Verb } from '../client/cli/verb.ts';
import { type Known, Registry } from './registry.ts';
import { parseRendezvous } from './rendezvous.ts';

export const discover: Verb = {
  name: 'discover',
  about: 'lists the nodes that have registered under a token, and which of them run',
  usage: 'discover A[,B…]/TOKEN [--json]',
  details: `For nodes that were served with --discovery. One line for each, in the order in which they came: its id, its address,
whether it is one of the founders or a latecomer, and whether it shows itself (up) or has not for a while (down).

  raftline discover 10.0.0.1:7001/orders`,
  flags: {
    ...(CONNECTION_FLAGS.timeout && { timeout: CONNECTION_FLAGS.timeout }),
    json: { type: 'boolean', about: 'one JSON object for each node' },
  },
  words: [1, 1],
  async run({ words: [name = ''], flags }: Call): Promise<number> {
    endWithOutput();
    const rendezvous = parseRendezvous(name);
    const registry = new Registry(
      rendezvous,
      typeof flags.timeout === 'number' ? { timeout: flags.timeout } : {},
    );
    try {
      const known = await registry.known();
      for (const node of known) await print(flags.json === true ? JSON.stringify(node) : line(node));
      if (known.length === 0) complain(`discover: nobody has registered as ${rendezvous.token}`);
      return known.length === 0 ? 1 : 0;
    } finally {
      await registry.close();
    }
  },
};

function line({ id, address, isFounder, isUp }: Known): string {
  return [id, address, isFounder ? 'founder' : 'latecomer', isUp ? 'up' : 'down'].join('\t');
}
