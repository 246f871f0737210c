import type { Cluster } from '../../lab/cluster.ts';
import { TRANSPORTS, type TransportName } from '../../src/node/transports.ts';
import { RealCluster } from './real-cluster.ts';
import { TRIALS, TTL } from './trials.ts';

const FAULTS = {
  'is killed': (cluster: Cluster, leader: string) => cluster.node(leader).kill(),
  'is cut off': (cluster: Cluster, leader: string) => cluster.partition([[leader]]),
  'stands still': (cluster: Cluster, leader: string) => cluster.node(leader).pause(),
} as const;

/** Over gRPC, where less is its own, what happens to connections is enough. */
const STRIKES: Readonly<Record<TransportName, readonly (keyof typeof FAULTS)[]>> = {
  lines: ['is killed', 'is cut off', 'stands still'],
  grpc: ['is killed', 'is cut off'],
};

/** Milliseconds that a request may take here: what comes of it matters, and not when on a machine with much to do. */
const TIMEOUT = 30_000;

for (const transport of TRANSPORTS)
  describe(`the recipes over ${transport}`, function () {
    this.timeout(120_000).slow(20_000);
    const real = RealCluster.forSuites({ transport });

    for (const fault of STRIKES[transport])
      describe(`when the leader ${fault}`, () => {
        const expected = new Map<string, () => Promise<void>>();

        // All are at work at once, so that one fault does for all of them.
        before(async () => {
          const [leader = '', ...others] = await real.idsFromLeader();
          await real.client().remove({ prefix: '/trial/' });
          const strike = new AbortController();
          let victim: string | undefined;
          let outlasted: Promise<void> | undefined;
          const setting = {
            victim: () => victim,
            near: () => real.client([leader, ...others], { timeout: TIMEOUT }),
            far: () => real.client([...others, leader], { timeout: TIMEOUT }),
            struck: strike.signal,
            outlasted: async () => outlasted,
          };
          const begun = Object.entries(TRIALS).map(async ([title, trial]) => {
            expected.set(title, await trial(setting));
          });
          await Promise.all(begun);
          // On a machine with much to do another may lead by now.
          [victim = leader] = await real.idsFromLeader();
          await FAULTS[fault](real.cluster, victim);
          outlasted = new Promise(resolve => setTimeout(resolve, (TTL + 0.5) * 1_000));
          strike.abort();
        });

        for (const title of Object.keys(TRIALS)) it(title, () => expected.get(title)?.());

        after(() => real.mend());
      });
  });
