import { createHash, randomBytes } from 'node:crypto';
import { complain, count, endWithOutput, print } from '../client/cli/print.ts';
import { isSystemError, systemWords } from '../client/cli/system-error.ts';
import type { Call, Verb } from '../client/cli/verb.ts';
import { DataDirectory, type Identity } from '../src/node/data-directory.ts';
import { DataError } from '../src/node/data-error.ts';
import { DISK } from '../src/node/file-system.ts';
import { type OpenedJournal, openJournal } from '../src/node/journal-open.ts';
import { configurationOf, NO_CONFIGURATION } from '../src/raft/configuration.ts';
import { State } from '../src/raft/state.ts';
import { entryOf } from '../src/wire/table.ts';

export const recover: Verb = {
  name: 'recover',
  about: 'the way out when a majority of the voters is lost for good',
  usage: 'recover --data DIR --survivor [--yes]',
  details: `Makes one node that is left the only member of a new cluster, with everything in its log. For when a majority will
never come back: while it may, start it again instead, and nothing is lost.

Stop every node first. Run it without --yes on each data directory that is left: it changes nothing, and says how far
that log goes. Choose the one whose last entry has the highest term, and of those the one that is longest; there run it
with --yes, and start the node with its --id, --listen and --data, without --nodes. Empty the data directories of the
others and let them join it (serve --join): since the cluster is a new one, also under the ids that they had.

The cluster gets a new id, so that old members that do come back are refused and disturb nobody.`,
  flags: {
    data: { type: 'string', value: 'DIR', about: 'the data directory of the node that is left' },
    survivor: { type: 'boolean', about: 'says that this node is to be the only member' },
    yes: { type: 'boolean', about: 'does it; without, only says what would be done and what may be lost' },
  },
  words: [0, 0],
  async run({ flags }: Call): Promise<number> {
    endWithOutput();
    if (typeof flags.data !== 'string' || flags.data === '' || flags.survivor !== true) {
      complain('recover: needs --data DIR and --survivor; raftline recover --help says when and how');
      return 2;
    }
    try {
      return await inspect(flags.data, flags.yes === true);
    } catch (error) {
      complain(`recover: ${wordsFor(error, flags.data)}`);
      return 2;
    }
  },
};

function wordsFor(error: unknown, path: string): string {
  if (isSystemError(error)) return systemWords(error, path);
  if (!(error instanceof DataError) || error.problem !== 'in use') return (error as Error).message;
  return `a node runs on ${path}: as long as it does, see what it says (raftline status); to recover, stop every node first`;
}

async function inspect(path: string, isMeant: boolean): Promise<number> {
  const directory = new DataDirectory(DISK, path);
  const identity = directory.identity();
  if (identity === undefined) {
    complain(
      `recover: ${path} is not a data directory: it has no node.json; name the --data of the node that is left`,
    );
    return 2;
  }
  let isDurable = false;
  const listener = {
    onDurable: () => {
      isDurable = true;
    },
  };
  const journal = await openJournal(path, { node: identity.node }, listener);
  let status: number | undefined;
  try {
    status = await examine(directory, identity, journal, isMeant);
  } finally {
    await journal.storage.close();
  }
  if (status !== undefined) return status;
  if (!isDurable) {
    complain(`recover: ${path} has no room for the new configuration: free some, and run this again`);
    return 2;
  }
  const { cluster } = directory.identity() ?? identity;
  const words = `start it with --id ${identity.node}, --listen and --data as before, and without --nodes`;
  await print(`\n${identity.node} is the only member of cluster ${cluster} now: ${words}.`);
  return 0;
}

/** Tells how it stands and, if it is meant, hands in what makes the node the only member; otherwise gives the exit status. */
async function examine(
  directory: DataDirectory,
  identity: Identity,
  journal: OpenedJournal,
  isMeant: boolean,
): Promise<number | undefined> {
  const { node, cluster } = identity;
  const { recovered } = journal;
  const state = new State({ configuration: NO_CONFIGURATION, ...recovered, id: node });
  const { nodes, voters, old = [] } = state.configuration;
  const address = entryOf(nodes, node);
  if (cluster === null || voters.length === 0 || address === undefined) {
    const words = 'there is nothing to recover; start it with --nodes, or let it join';
    complain(`recover: ${node} is no member of a cluster: ${words}`);
    return 2;
  }
  if ([...voters, ...old].every(voter => voter === node)) {
    await print(`${node} is the only voter of cluster ${cluster} already: start it, and it goes on.`);
    return 0;
  }
  await tell(state, identity);
  if (!isMeant) {
    await print('\nNothing was changed. Run it again with --yes to do it.');
    return 0;
  }
  // First the id, and with it goes whom the old cluster knew: if this is interrupted behind it, the node is alone and out of order, and this can be repeated.
  const { peers, removed, ...own } = identity;
  directory.claim({ ...own, cluster: successorOf(identity) });
  survive(state, journal, address);
  return undefined;
}

async function tell({ log, commit, configuration }: State, { node, cluster }: Identity): Promise<void> {
  const { index, term } = log.last;
  const { voters, nodes } = configuration;
  const others = Object.keys(nodes).filter(id => id !== node);
  const open = index - commit;
  const lines = [
    `${node} at ${entryOf(nodes, node)}, of cluster ${cluster}; its voters are ${voters.join(', ')}.`,
    `Its log ends with entry ${index} of term ${term}; up to entry ${commit} it knows what was committed.`,
    ...(open > 0
      ? [`${count(open, 'entry', 'entries')} after that may or may not have been committed: all are kept.`]
      : []),
    `What others acknowledged and this log does not have is lost: there is no telling from here whether there is any.`,
    `Out of the cluster go ${others.join(', ') || 'no others'}; none of them may ever be started again with its old data.`,
  ];
  for (const line of lines) await print(line);
}

/** Appends the configuration in which this node is alone: what its log holds before is committed with it. */
function survive({ id, log, term }: State, { storage, recovered }: OpenedJournal, address: string): void {
  // An origin of its own: of two copies of a node that are both made into clusters, neither may be taken for the other.
  const origin = randomBytes(8).toString('hex');
  const command = configurationOf({ nodes: { [id]: address }, voters: [id], origin });
  const entry = { index: log.last.index + 1, term: term + 1, command, size: 128 };
  storage.write({
    mark: 1,
    ballot: { term: term + 1, vote: id },
    entries: [entry],
    commit: recovered.commit,
  });
}

/** The id of the cluster that follows on another: one that nobody had before. */
function successorOf({ node, cluster }: Identity): string {
  return createHash('sha256').update(`${cluster} survived by ${node}`).digest('hex').slice(0, 16);
}
