import { Quorum } from './quorum.ts';

/** The members of a cluster, as an entry of the log holds them. */
export interface Configuration {
  readonly op: 'configure';
  /** Where each member listens, by its id; those that are no voters are learners. */
  readonly nodes: Readonly<Record<string, string>>;
  readonly voters: readonly string[];
  /** While the configuration is joint (§6): the voters before, whose majority has to agree as well. */
  readonly old?: readonly string[];
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

export function quorumOf({ voters, old }: Configuration): Quorum {
  return old === undefined ? new Quorum(voters) : new Quorum(voters, old);
}
