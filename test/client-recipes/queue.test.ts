import { expect } from 'chai';
import { Call } from '../../client/call.ts';
import type { Success } from '../../client/client.ts';
import { Exchange } from '../../client/exchange.ts';
import { LineLink } from '../../client/line-link.ts';
import { type Place, Queue } from '../../client/recipes/queue.ts';
import type { Wire } from '../../client/recipes/wire.ts';
import { parseAddresses } from '../../client/roster.ts';
import { eventually, RealCluster } from './real-cluster.ts';

describe('the queue for a lock', function () {
  this.timeout(60_000).slow(10_000);
  const real = RealCluster.forSuite();

  it('wakes only the next when its head goes', async () => {
    const exchange = new Exchange(parseAddresses(real.cluster.addresses), {
      dial: (address, owner) => new LineLink(address, owner),
      isImpatient: false,
      session: {},
    });
    const asked = { list: 0, watch: 0 };
    const wire: Wire = {
      timeout: 5_000,
      request: (op, fields, { timeout = 5_000, signal } = {}) => {
        if (op === 'list') asked.list += 1;
        return new Promise((resolve, reject) => {
          exchange.submit(
            new Call({ op, fields, timeout }, resolve as (reply: Success | string) => void, reject),
            signal,
          );
        });
      },
      open: (op, fields, listener) => {
        asked.watch += 1;
        return exchange.open(op, fields, 5_000, listener);
      },
      keep: () => () => {},
    };
    const queue = new Queue(wire, '/locks/herd/');
    const held: Place[] = [];
    const all = Array.from({ length: 20 }, (_, n) =>
      queue.enter(String(n), { ttl: 60 }).then(place => held.push(place)),
    );
    const user = real.client();
    const keys = async () => {
      const { keys: found } = await user.request('list', { prefix: '/locks/herd/' });
      return (found as string[]).length;
    };
    await eventually('all stand in it', async () => (await keys()) === 20 && held.length === 1);
    // Each watches its own key, and all but the head the one before.
    await eventually('each watches two keys', () => asked.watch === 39);
    const before = { ...asked };
    await held[0]?.release();
    await eventually('the next has it', () => held.length === 2);
    expect(asked.list - before.list, 'one has looked').to.equal(1);
    expect(asked.watch - before.watch, 'and watches what it watched').to.equal(0);
    for (let at = 1; at < 20; at += 1) {
      await eventually('the next has it', () => held.length > at);
      await held[at]?.release();
    }
    await Promise.all(all);
    expect(held.map(({ create }) => create)).to.deep.equal(
      held.map(({ create }) => create).sort((a, b) => a - b),
    );
    await exchange.close();
  });
});
