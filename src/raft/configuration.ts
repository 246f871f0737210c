import { Quorum } from './quorum.ts';

/** The members of a cluster, as an entry of the log holds them. */
export interface Configuration {
  readonly op: 'configure';
  /** Where each member listens, by its id; those that are no voters are learners. */
  readonly nodes: Readonly<Record<string, string>>;
  readonly voters: readonly string[];
  /** While the configuration is joint (§6): the voters before, whose majority has to agree as well. */
  readonly old?: readonly string[];
  /** Of nodes that were added to a running cluster: the mark of the data directory with which each was added. */
  readonly instances?: Readonly<Record<string, string>>;
  /** Random, from the cluster's first leader: tells it from another that began with the same list of nodes. */
  readonly origin?: string;
}

/** The configuration of a node that knows of no cluster yet: nobody votes, so nothing can be decided. */
export const NO_CONFIGURATION: Configuration = { op: 'configure', nodes: {}, voters: [] };

/** The configuration with which a cluster begins: everyone votes. */
export function initialConfiguration(
  nodes: readonly { readonly id: string; readonly address: string }[],
): Configuration {
  return {
    op: 'configure',
    nodes: Object.fromEntries(nodes.map(({ id, address }) => [id, address])),
    voters: nodes.map(({ id }) => id),
  };
}

export function isConfiguration(command: unknown): command is Configuration {
  return typeof command === 'object' && command !== null && 'op' in command && command.op === 'configure';
}

/** On the way to another set of voters: both have to agree, so that neither decides alone (§6). */
export function jointConfiguration(from: Configuration, to: Configuration): Configuration {
  return configurationOf({
    nodes: { ...from.nodes, ...to.nodes },
    voters: to.voters,
    old: from.voters,
    instances: { ...from.instances, ...to.instances },
    origin: to.origin,
  });
}

/** What follows a joint configuration: voters of the old set alone are members no more. */
export function finalConfiguration({
  nodes,
  voters,
  old = [],
  instances = {},
  origin,
}: Configuration): Configuration {
  const stays = ([id]: readonly [string, string]) => voters.includes(id) || !old.includes(id);
  return configurationOf({
    nodes: Object.fromEntries(Object.entries(nodes).filter(stays)),
    voters,
    instances: Object.fromEntries(Object.entries(instances).filter(stays)),
    origin,
  });
}

/** What a configuration is made of. */
type Contents = Omit<Configuration, 'op' | 'origin'> & { readonly origin?: string | undefined };

/** A configuration as an entry holds it: what says nothing is left out. */
export function configurationOf({ nodes, voters, old, instances = {}, origin }: Contents): Configuration {
  return {
    op: 'configure',
    nodes,
    voters,
    ...(old !== undefined && { old }),
    ...(Object.keys(instances).length > 0 && { instances }),
    ...(origin !== undefined && { origin }),
  };
}

export function haveSameVoters(a: Configuration, b: Configuration): boolean {
  return a.voters.length === b.voters.length && a.voters.every(id => b.voters.includes(id));
}

export function quorumOf({ voters, old }: Configuration): Quorum {
  return old === undefined ? new Quorum(voters) : new Quorum(voters, old);
}
