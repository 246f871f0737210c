import { connect } from '../client/client.ts';
import { DataDirectory } from '../src/node/data-directory.ts';
import { DISK } from '../src/node/file-system.ts';
import type { NodeAddress } from '../src/wire/address.ts';
import { joinCluster } from './join.ts';
import { persist, type Registered, Registry } from './registry.ts';
import type { Rendezvous } from './rendezvous.ts';

export interface DiscoveryOptions {
  readonly rendezvous: Rendezvous;
  /** How many nodes found the cluster. */
  readonly size: number;
  /** This node, which runs, at the address where the others dial it. */
  readonly self: NodeAddress;
  readonly data: string;
  /** Is told how far it has come, in words that follow the node's name. */
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Finds the other nodes of a cluster-to-be through a cluster that runs: registers, waits until enough have come, and
 * begins with exactly those that came first, as each of them does. Who comes later joins them as a learner. A node
 * that already began is recognised by its data, and needs no registry to go on. All the while it shows itself there;
 * resolves when it is told to end.
 */
export async function discover(options: DiscoveryOptions): Promise<void> {
  const { rendezvous, self, data, signal } = options;
  const registry = new Registry(rendezvous);
  try {
    const { cluster, instance = '' } = new DataDirectory(DISK, data).identity() ?? {};
    const shown = registry.show(self, signal);
    if (cluster == null) await findCluster(registry, instance, options);
    await shown;
  } finally {
    await registry.close();
  }
}

async function findCluster(
  registry: Registry,
  instance: string,
  { rendezvous, size, self, say, signal }: DiscoveryOptions,
): Promise<void> {
  const registered: Registered = { ...self, instance };
  await persist(() => registry.agreeOnSize(size), signal);
  await persist(() => registry.enrol(registered), signal);
  const waits = (came: number) =>
    say(`is registered as ${rendezvous.token}: ${came} of ${size} nodes are there, and it waits`);
  const founders = await registry.founders(size, waits, signal);
  if (founders.some(({ id }) => id === self.id)) {
    await begin(self, founders, signal);
    say(`begins a cluster of ${founders.map(({ id }) => id).join(', ')}`);
  } else {
    const through = founders.map(({ address }) => address);
    await joinCluster({ self, through, wantsVote: false, say, signal });
  }
}

/** Makes this node alone begin: every founder does so by itself, with the same list. */
async function begin(
  self: NodeAddress,
  founders: readonly NodeAddress[],
  signal: AbortSignal,
): Promise<void> {
  const own = connect(self.address, { failFast: true });
  const nodes = Object.fromEntries(founders.map(({ id, address }) => [id, address]));
  try {
    await persist(() => own.request('init', { nodes, forward: false }, { signal }), signal);
  } finally {
    await own.close();
  }
}
