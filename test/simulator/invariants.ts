import { entryLine } from '../../src/node/record.ts';
import { type Configuration, isConfiguration, NO_CONFIGURATION } from '../../src/raft/configuration.ts';
import type { Entry, Position } from '../../src/raft/entry.ts';
import type { State } from '../../src/raft/state.ts';
import type { Raft } from '../../stages/8-membership/raft.ts';
import type { Ledger } from './ledger.ts';
import type { SimNode } from './sim-node.ts';
import { violated } from './violation.ts';

/** What a leader may have on its way to one node: messages, and bytes (with the batch that crosses the line). */
const WINDOW = 128;
const WINDOW_BYTES = 4.5 * 1_048_576;

/** What was last seen of one process. */
interface Known {
  life: number;
  term: number;
  commit: number;
  handed: number;
  /** The term of every entry of its log; that of index n is at n - 1. */
  readonly terms: number[];
  /** The term that it leads, and the end of its log when last seen; 0 while it does not lead. */
  leads: number;
}

/** What an entry of an index and a term is: the checksum of its record, and the term of the one before. */
interface Shape {
  readonly sum: string;
  readonly before: number;
  /** Where it is one. */
  readonly configuration: Configuration | undefined;
}

/**
 * What must hold at every node and between them, looked at after every callback: the five properties of Figure 3, and
 * what DESIGN adds to them. Nothing here relies on what a node says where its disk can be looked at instead, and who
 * counts is found out here, from the entries that nodes have.
 */
export class Invariants {
  /** Elections that were won, snapshots that took the place of a log, and configurations that were committed. */
  elections = 0;
  restores = 0;
  configurations = 0;
  readonly #ledger: Ledger;
  readonly #nodes: readonly SimNode[];
  readonly #known = new Map<string, Known>();
  /** The leader of each term. */
  readonly #leaders = new Map<number, string>();
  readonly #shapes = new Map<number, Shape>();
  /** The indexes at which there is a configuration in some log, in order. */
  #configured: readonly number[] = [];
  /** The members, by all that was committed up to an index. */
  #committed = { last: 0, configuration: NO_CONFIGURATION };
  /** Entries with a configuration that no log had before the callback that is looked at. */
  readonly #fresh: Entry[] = [];
  /** The hash of the state at each index. */
  readonly #hashes = new Map<number, string>();

  constructor(ledger: Ledger, nodes: readonly SimNode[]) {
    this.#ledger = ledger;
    this.#nodes = nodes;
  }

  /** Looks at a node that has just done something. */
  check(node: SimNode): void {
    const { raft, replica } = node;
    if (raft === undefined || replica === undefined) return;
    const { state } = raft;
    const known = this.#knownOf(node);
    if (state.term < known.term)
      violated('terms never fall', `${node.id}: ${state.term} after ${known.term}`);
    known.term = state.term;
    this.#checkLog(node, raft, known);
    if (state.role === 'leader') this.#checkLeader(node, raft, known);
    else known.leads = 0;
    if (state.commit !== known.commit) this.#checkCommit(node, raft, known);
    for (const entry of this.#fresh.splice(0)) this.#checkChange(node.id, entry, known.terms);
    if (state.handed !== known.handed) {
      known.handed = state.handed;
      this.#checkHash(node.id, state.handed, replica.store.hash);
    }
  }

  #knownOf({ id, life }: SimNode): Known {
    const known = this.#known.get(id);
    if (known?.life === life) return known;
    const fresh = { life, term: 0, commit: 0, handed: 0, terms: [], leads: 0 };
    this.#known.set(id, fresh);
    return fresh;
  }

  /** Log Matching: an entry of one index and term is the same everywhere, and so is what comes before it. */
  #checkLog({ id }: SimNode, { state }: Raft, { terms, leads }: Known): void {
    const { log } = state;
    const { index: last, term: lastTerm } = log.last;
    if (last === terms.length && lastTerm === (terms[last - 1] ?? 0)) return;
    const { base } = log;
    let same = Math.min(last, terms.length);
    while (same > base.index && terms[same - 1] !== log.termAt(same)) same -= 1;
    if (leads === state.term && state.role === 'leader' && same < terms.length) {
      violated(
        'Leader Append-Only (Figure 3)',
        `${id} removed ${same + 1} from its log while it led ${leads}`,
      );
    }
    terms.length = same;
    if (same <= base.index && base.index > 0) this.#checkBase(id, base, terms);
    for (const entry of log.range(terms.length + 1, last)) {
      this.#checkShape(id, entry, terms.at(-1) ?? 0);
      terms.push(entry.term);
    }
    this.#checkConfiguration(id, state, terms);
  }

  /** A node goes by the latest configuration in its log; where an entry with one is gone, by the one before (§6). */
  #checkConfiguration(
    id: string,
    { log, configuration, configurationIndex }: State,
    terms: readonly number[],
  ) {
    const index = this.#configured.findLast(at => this.#configurationAt(at, terms) !== undefined) ?? 0;
    const isSame =
      index > log.base.index ? configurationIndex === index : configurationIndex <= log.base.index;
    if (isSame) return;
    const words = `${id} goes by ${JSON.stringify(configuration)} of entry ${configurationIndex}; its log has one at ${index}`;
    violated('a node goes by the latest configuration in its log (§6)', words);
  }

  /** What a snapshot stands for, and a log begins behind, is committed. */
  #checkBase(id: string, { index, term }: Position, terms: number[]): void {
    if (this.#ledger.lineAt(index)?.term !== term) {
      violated(
        'a snapshot stands for what is committed',
        `${id} begins behind entry ${index} of term ${term}, of ${this.#ledger.last} committed`,
      );
    }
    for (let at = 0; at < index; at += 1) terms[at] = this.#ledger.lineAt(at + 1)?.term ?? 0;
  }

  #checkShape(id: string, entry: Entry, before: number): void {
    const { index, term, command } = entry;
    const key = placeOf(index, term);
    const sum = entryLine(entry).slice(0, 8);
    const shape = this.#shapes.get(key);
    if (shape === undefined) {
      const configuration = isConfiguration(command) ? command : undefined;
      this.#shapes.set(key, { sum, before, configuration });
      if (configuration !== undefined) {
        this.#configured = [...new Set([...this.#configured, index])].sort((a, b) => a - b);
        this.#fresh.push(entry);
      }
      this.#ledger.begin(entry);
    } else if (shape.sum !== sum || shape.before !== before) {
      violated('Log Matching (Figure 3)', `entry ${index} of term ${term} at ${id} differs from another's`);
    }
  }

  /** The configuration in a log with these terms: the latest that it has, committed or not (§6). */
  #configurationIn(terms: readonly number[]): Configuration {
    const index = this.#configured.findLast(at => this.#configurationAt(at, terms) !== undefined);
    return this.#configurationAt(index ?? 0, terms) ?? NO_CONFIGURATION;
  }

  #configurationAt(index: number, terms: readonly number[]): Configuration | undefined {
    const term = terms[index - 1];
    return term === undefined ? undefined : this.#shapes.get(placeOf(index, term))?.configuration;
  }

  #checkLeader({ id }: SimNode, { state }: Raft, known: Known): void {
    const { term, progress } = state;
    if (known.leads !== term) {
      known.leads = term;
      this.elections += 1;
      const other = this.#leaders.get(term);
      if (other !== undefined)
        violated('Election Safety (Figure 3)', `${other} and ${id} have both led term ${term}`);
      this.#leaders.set(term, id);
      this.#checkVotes(id, term, this.#configurationIn(known.terms));
      this.#checkCompleteness(id, term, known.terms);
    }
    for (const [peer, { inFlight, inFlightBytes }] of progress) {
      if (inFlight <= WINDOW && inFlightBytes <= WINDOW_BYTES) continue;
      violated(
        'queues are bounded',
        `${id} has ${inFlight} messages of ${inFlightBytes} bytes on their way to ${peer}`,
      );
    }
  }

  /**
   * A leader changes the members only when it knows all that was committed before it, one change at a time, and the
   * voters by way of a joint configuration (§6).
   */
  #checkChange(id: string, { index, term }: Entry, terms: readonly number[]): void {
    const to = this.#configurationAt(index, terms);
    if (to === undefined || index === 1) return;
    const before = this.#configured.findLast(
      at => at < index && this.#configurationAt(at, terms) !== undefined,
    );
    const from = this.#configurationAt(before ?? 0, terms) ?? NO_CONFIGURATION;
    const told = `${id} appends ${JSON.stringify(to)} behind ${JSON.stringify(from)}`;
    const isSettled = this.#ledger.lineAt(before ?? 0)?.term === terms[(before ?? 0) - 1];
    if (!isSettled) violated('one change of the members at a time', told);
    if (!this.#ledger.terms.has(term)) {
      violated('no change of the members before the no-op is committed', told);
    }
    const isStep =
      to.old !== undefined
        ? from.old === undefined && areSame(to.old, from.voters)
        : areSame(to.voters, from.voters);
    if (!isStep) violated('voters change by way of a joint configuration', told);
  }

  /** Whoever leads has the votes of a majority of its configuration, of both while it is joint, on their disks. */
  #checkVotes(id: string, term: number, configuration: Configuration): void {
    const votes = this.#nodes.filter(({ promised }) => promised.voteIn(term) === id).map(node => node.id);
    if (isEnough(votes, configuration)) return;
    const words = `${id} leads term ${term} with the votes of ${votes.join(', ')} in ${JSON.stringify(configuration)}`;
    violated('whoever leads was elected by a majority', words);
  }

  #checkCompleteness(id: string, term: number, terms: readonly number[]): void {
    for (let index = 1; index <= this.#ledger.last; index += 1) {
      const line = this.#ledger.lineAt(index);
      // A late vote may make a leader of a term that is over; what later terms committed it need not have.
      if (line === undefined || line.committedIn >= term || terms[index - 1] === line.term) continue;
      violated('Leader Completeness (Figure 3)', `${id} leads term ${term} without committed entry ${index}`);
    }
  }

  #checkCommit({ id }: SimNode, { state }: Raft, known: Known): void {
    const { commit, log, term } = state;
    if (commit < known.commit)
      violated('the commit index never falls', `${id}: ${commit} after ${known.commit}`);
    const from = Math.max(known.commit, log.base.index) + 1;
    if (known.commit > 0 && log.base.index > known.commit) this.restores += 1;
    for (const entry of log.range(from, commit)) {
      if (!this.#ledger.commit(id, term, entry)) continue;
      if (isConfiguration(entry.command)) this.configurations += 1;
      this.#checkDurable(id, entry.index, this.#configurationIn(known.terms));
    }
    known.commit = commit;
  }

  /** What is committed is on the disks of a majority, now and for ever; learners do not count, nor who is removed. */
  #checkDurable(id: string, index: number, configuration: Configuration): void {
    if (index === 1) return; // the configuration that all begin with, committed before anything
    const line = this.#ledger.lineAt(index);
    const holders = this.#nodes.filter(({ promised }) => line !== undefined && promised.holds(index, line));
    const ids = holders.map(node => node.id);
    if (isEnough(ids, configuration)) return;
    const who = `durable at ${ids.join(', ') || 'no node'}, in ${JSON.stringify(configuration)}`;
    violated(
      'nothing is committed before it is durable on a majority',
      `${id} has committed entry ${index}, ${who}`,
    );
  }

  #checkHash(id: string, index: number, hash: string): void {
    const expected = this.#hashes.get(index);
    if (expected === undefined) this.#hashes.set(index, hash);
    else if (expected !== hash)
      violated('equal hashes at equal indexes', `${id} has ${hash} at ${index}, not ${expected}`);
  }

  /** At the end of a run: every committed entry is on the disks of a majority. */
  checkAllDurable(): void {
    const { last } = this.#ledger;
    const terms = Array.from({ length: last }, (_, at) => this.#ledger.lineAt(at + 1)?.term ?? 0);
    const configuration = this.#configurationIn(terms);
    for (let index = 1; index <= last; index += 1) this.#checkDurable('the cluster', index, configuration);
  }

  /** The members, as the log of each process that runs has them. */
  get openConfigurations(): readonly Configuration[] {
    return [...this.#known.values()].flatMap(({ terms }) =>
      this.#configured.flatMap(index => {
        const isOpen = index > this.#ledger.last;
        const configuration = isOpen ? this.#configurationAt(index, terms) : undefined;
        return configuration === undefined ? [] : [configuration];
      }),
    );
  }

  /** The members, by all that is committed. */
  get configuration(): Configuration {
    const { last } = this.#ledger;
    if (this.#committed.last !== last) {
      const terms = Array.from({ length: last }, (_, at) => this.#ledger.lineAt(at + 1)?.term ?? 0);
      this.#committed = { last, configuration: this.#configurationIn(terms) };
    }
    return this.#committed.configuration;
  }
}

function areSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every(id => b.includes(id));
}

/** Whether these are a majority of the voters, and while the configuration is joint of those before as well. */
function isEnough(ids: readonly string[], { voters, old }: Configuration): boolean {
  const isMajority = (set: readonly string[]) => set.filter(id => ids.includes(id)).length > set.length / 2;
  return isMajority(voters) && (old === undefined || isMajority(old));
}

function placeOf(index: number, term: number): number {
  return index * 2 ** 20 + term;
}
