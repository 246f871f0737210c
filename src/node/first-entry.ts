import type { Recovered, Storage } from '../ports/storage.ts';
import { initialConfiguration } from '../raft/configuration.ts';
import type { Ballot } from '../raft/entry.ts';
import type { NodeAddress } from '../wire/address.ts';

/**
 * Begins with the configuration of a new cluster as the first entry of the log. The entry is the same at every
 * node that is given the same list, and so is as good as committed. A crash may have left a later ballot without it: that
 * ballot stands.
 */
export function writeFirstEntry(storage: Storage, found: Ballot, nodes: readonly NodeAddress[]): Recovered {
  const ballot = found.term > 0 ? found : { term: 1, vote: null };
  const entry = { index: 1, term: 1, command: initialConfiguration(nodes), size: 64 * nodes.length };
  storage.write({ mark: 0, ballot, entries: [entry], commit: 1 });
  return { ballot, base: { index: 0, term: 0 }, entries: [entry], commit: 1 };
}
