import { entryLine } from '../../src/node/record.ts';
import type { Entry } from '../../src/raft/entry.ts';
import type { Raft } from '../../stages/6-election/raft.ts';
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
}

/**
 * What must hold at every node and between them, looked at after every callback: the five properties of Figure 3, and
 * what DESIGN adds to them. Nothing here relies on what a node says where its disk can be looked at instead.
 */
export class Invariants {
  /** Elections that were won. */
  elections = 0;
  readonly #ledger: Ledger;
  readonly #nodes: readonly SimNode[];
  readonly #majority: number;
  readonly #known = new Map<string, Known>();
  /** The leader of each term. */
  readonly #leaders = new Map<number, string>();
  readonly #shapes = new Map<number, Shape>();
  /** The hash of the state at each index. */
  readonly #hashes = new Map<number, string>();

  constructor(ledger: Ledger, nodes: readonly SimNode[]) {
    this.#ledger = ledger;
    this.#nodes = nodes;
    this.#majority = Math.floor(nodes.length / 2) + 1;
  }

  /** Looks at a node that has just done something. */
  check(node: SimNode): void {
    const { process } = node;
    if (process === undefined) return;
    const { state } = process.raft;
    const known = this.#knownOf(node);
    if (state.term < known.term)
      violated('terms never fall', `${node.id}: ${state.term} after ${known.term}`);
    known.term = state.term;
    this.#checkLog(node, process.raft, known);
    if (state.role === 'leader') this.#checkLeader(node, process.raft, known);
    else known.leads = 0;
    if (state.commit !== known.commit) this.#checkCommit(node, process.raft, known);
    if (state.handed !== known.handed) {
      known.handed = state.handed;
      this.#checkHash(node.id, state.handed, process.replica.store.hash);
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
    let same = Math.min(last, terms.length);
    while (same > 0 && terms[same - 1] !== log.termAt(same)) same -= 1;
    if (leads === state.term && state.role === 'leader' && same < terms.length) {
      violated(
        'Leader Append-Only (Figure 3)',
        `${id} removed ${same + 1} from its log while it led ${leads}`,
      );
    }
    terms.length = same;
    for (const entry of log.range(same + 1, last)) {
      this.#checkShape(id, entry, terms.at(-1) ?? 0);
      terms.push(entry.term);
    }
  }

  #checkShape(id: string, entry: Entry, before: number): void {
    const key = entry.index * 2 ** 20 + entry.term;
    const sum = entryLine(entry).slice(0, 8);
    const shape = this.#shapes.get(key);
    if (shape === undefined) this.#shapes.set(key, { sum, before });
    else if (shape.sum !== sum || shape.before !== before) {
      violated(
        'Log Matching (Figure 3)',
        `entry ${entry.index} of term ${entry.term} at ${id} differs from another's`,
      );
    }
  }

  #checkLeader({ id }: SimNode, { state }: Raft, known: Known): void {
    const { term, log, progress } = state;
    if (known.leads !== term) {
      known.leads = term;
      this.elections += 1;
      const other = this.#leaders.get(term);
      if (other !== undefined)
        violated('Election Safety (Figure 3)', `${other} and ${id} have both led term ${term}`);
      this.#leaders.set(term, id);
      this.#checkCompleteness(id, term, index => log.termAt(index));
    }
    for (const [peer, { inFlight, inFlightBytes }] of progress) {
      if (inFlight <= WINDOW && inFlightBytes <= WINDOW_BYTES) continue;
      violated(
        'queues are bounded',
        `${id} has ${inFlight} messages of ${inFlightBytes} bytes on their way to ${peer}`,
      );
    }
  }

  #checkCompleteness(id: string, term: number, termAt: (index: number) => number | undefined): void {
    for (let index = 1; index <= this.#ledger.last; index += 1) {
      const line = this.#ledger.lineAt(index);
      // A late vote may make a leader of a term that is over; what later terms committed it need not have.
      if (line === undefined || line.committedIn >= term || termAt(index) === line.term) continue;
      violated('Leader Completeness (Figure 3)', `${id} leads term ${term} without committed entry ${index}`);
    }
  }

  #checkCommit({ id }: SimNode, { state }: Raft, known: Known): void {
    if (state.commit < known.commit)
      violated('the commit index never falls', `${id}: ${state.commit} after ${known.commit}`);
    for (const entry of state.log.range(known.commit + 1, state.commit)) {
      if (this.#ledger.commit(id, state.term, entry)) this.#checkDurable(id, entry.index);
    }
    known.commit = state.commit;
  }

  /** What is committed is on the disks of a majority, now and for ever. */
  #checkDurable(id: string, index: number): void {
    if (index === 1) return; // the configuration that all begin with, committed before anything
    const holders = this.#nodes.filter(node => this.#holds(node, index)).map(node => node.id);
    if (holders.length >= this.#majority) return;
    const words = `${id} has committed entry ${index}, durable at ${holders.join(', ') || 'no node'}`;
    violated('nothing is committed before it is durable on a majority', words);
  }

  #holds({ durable }: SimNode, index: number): boolean {
    const line = this.#ledger.lineAt(index);
    const entry = durable.entryAt(index);
    return line !== undefined && entry?.term === line.term && entry.sum === line.sum;
  }

  #checkHash(id: string, index: number, hash: string): void {
    const expected = this.#hashes.get(index);
    if (expected === undefined) this.#hashes.set(index, hash);
    else if (expected !== hash)
      violated('equal hashes at equal indexes', `${id} has ${hash} at ${index}, not ${expected}`);
  }

  /** At the end of a run: every committed entry is on the disks of a majority. */
  checkAllDurable(): void {
    for (let index = 1; index <= this.#ledger.last; index += 1) this.#checkDurable('the cluster', index);
  }
}
