import type { RunningNode } from '../../src/node/options.ts';
import { aboutTheNode } from './conformance/about-the-node.ts';
import { conditions } from './conformance/conditions.ts';
import { keys } from './conformance/keys.ts';
import { leases } from './conformance/leases.ts';
import { limits } from './conformance/limits.ts';
import { lines } from './conformance/lines.ts';
import { lists } from './conformance/lists.ts';
import { sessions } from './conformance/sessions.ts';
import { snapshots } from './conformance/snapshots.ts';
import type { Exceptions, Subject } from './conformance/subject.ts';
import { text } from './conformance/text.ts';
import { transactions } from './conformance/transactions.ts';
import { watches } from './conformance/watches.ts';
import { LineClient } from './line-client.ts';

/** A stage's node to hold against the contract. `start` resolves once the node takes changes. */
export interface Conforming {
  readonly name: string;
  readonly stage: number;
  readonly start: () => Promise<Pick<RunningNode, 'address' | 'close'>>;
  readonly exceptions?: Exceptions;
}

/** So that no two suites in this process share a room, though they may share a cluster. */
let rooms = 0;

/**
 * What the line protocol promises of the operations of a stage, asked over TCP of one node. It
 * takes the numbers of revisions as they come, so that it may run against a node in use.
 */
export function conformance({ name, stage, start, exceptions = {} }: Conforming): void {
  describe(`${name} keeps the contract`, () => {
    let node: Pick<RunningNode, 'address' | 'close'>;
    const clients: LineClient[] = [];
    const subject: Subject = {
      exceptions,
      address: () => node.address,
      connect: async options => {
        const client = await LineClient.connect(node.address, options);
        clients.push(client);
        return client;
      },
      room: () => {
        rooms += 1;
        return `/room-${rooms}/`;
      },
    };

    before(async () => {
      node = await start();
    });
    afterEach(async () => {
      await Promise.all(clients.splice(0).map(client => client.close()));
    });
    after(() => node.close());

    aboutTheNode(subject);
    keys(subject);
    conditions(subject);
    lists(subject);
    text(subject);
    lines(subject);
    limits(subject);
    if (stage >= 4) {
      transactions(subject);
      watches(subject);
    }
    if (stage >= 6) {
      leases(subject);
      sessions(subject);
    }
    if (stage >= 7) snapshots(subject);
  });
}
