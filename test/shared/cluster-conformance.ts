import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cluster } from '../../lab/cluster.ts';
import { askOf, eventually, leaderOf } from './cluster.ts';
import type { Exceptions } from './conformance/subject.ts';
import { conformance } from './conformance.ts';

/** Whom to ask, by what it is called. */
const ROLES = {
  'the leader': (leader: string) => leader,
  'a follower': (leader: string, ids: readonly string[]) => ids.find(id => id !== leader) ?? '',
} as const;

interface Conforming {
  readonly stage: number;
  readonly roles: readonly (keyof typeof ROLES)[];
  readonly flags?: readonly string[];
  readonly exceptions?: Exceptions;
}

/** Holds nodes of a cluster of this stage against the contract, one after the other. */
export function clusterConformance({ stage, roles, flags = [], exceptions = {} }: Conforming): void {
  describe(['a cluster of stage', stage, ...flags].join(' '), () => {
    let cluster: Cluster;
    let data: string;
    const ask = askOf(() => cluster);

    before(async function () {
      this.timeout(60_000);
      data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
      cluster = await Cluster.start({ stage, nodes: 3, data, flags });
    });
    after(async () => {
      await cluster.stop();
      rmSync(data, { recursive: true, force: true });
    });

    for (const role of roles) {
      const start = async () => {
        const node = cluster.node(ROLES[role](await leaderOf(cluster.ids, ask), cluster.ids));
        await eventually(
          'it takes changes',
          async () => (await ask(node.id, { op: 'remove', key: '/none' })).ok,
        );
        return { address: node.address, close: async () => {} };
      };
      conformance({ name: role, stage, start, exceptions });
    }
  });
}
