import type { NodeMessage } from '../../src/node/raft-codec.ts';
import type { Ledger } from './ledger.ts';
import type { SimNode } from './sim-node.ts';
import { violated } from './violation.ts';

/**
 * Judges each message as it leaves its node: what it says must not rest on what the node's disk could still lose, and
 * what it says of others must be so.
 */
export class Promises {
  readonly #nodeOf: (id: string) => SimNode | undefined;
  readonly #ledger: Ledger;
  /** For whom each node has voted, by node and term, in all its lives. */
  readonly #votes = new Map<string, string>();

  constructor(nodeOf: (id: string) => SimNode | undefined, ledger: Ledger) {
    this.#nodeOf = nodeOf;
    this.#ledger = ledger;
  }

  judge(from: SimNode, to: string, message: NodeMessage): void {
    switch (message.type) {
      case 'vote':
        if (message.granted && !message.pre) this.#judgeVote(from, message.term, to);
        return;
      case 'request-vote':
        if (!message.pre) this.#judgeVote(from, message.term, from.id);
        return;
      case 'appended':
        this.#judgeAppended(from, message.term, message.match);
        return;
      case 'append':
      case 'heartbeat':
        this.#judgeCommit(from.id, to, message);
        return;
      default:
    }
  }

  #judgeVote({ id, durable }: SimNode, term: number, candidate: string): void {
    const key = `${id} ${term}`;
    const before = this.#votes.get(key) ?? candidate;
    if (before !== candidate)
      violated('one vote a term', `${id} voted for ${before} and ${candidate} in term ${term}`);
    this.#votes.set(key, candidate);
    // Once a later term is on the disk, no other vote in this one can be given any more.
    if (durable.voteIn(term) === candidate || durable.term > term) return;
    violated(
      'no vote before its fsync',
      `${id} told its vote for ${candidate} in term ${term}; its disk has none`,
    );
  }

  #judgeAppended({ id, durable, raft }: SimNode, term: number, match: number): void {
    if (durable.term < term) {
      violated(
        'no answer before its fsync',
        `${id} answered in term ${term}; its disk has term ${durable.term}`,
      );
    }
    // A leader of a later term may have replaced what was never written: the next election has made good for it.
    if (durable.term > term) return;
    if (durable.highest < match) {
      violated('no answer before its fsync', `${id} answered for ${match}; its disk has ${durable.highest}`);
    }
    // Or it has done so since, and the disk is about to tell of the later term.
    if (raft === undefined || raft.state.term > term || match === 0) return;
    if (match <= durable.snapshot || durable.entryAt(match)?.term === raft.state.log.termAt(match)) return;
    violated(
      'no answer before its fsync',
      `${id} answered for ${match}, and its disk has something else there`,
    );
  }

  /** A commit index goes no further than what the receiver will have verified when it believes it. */
  #judgeCommit(
    from: string,
    to: string,
    message: NodeMessage & { readonly type: 'append' | 'heartbeat' },
  ): void {
    const { commit } = message;
    if (commit > this.#ledger.last) {
      violated(
        'only what is committed is told to be',
        `${from} told ${to} of ${commit}, of ${this.#ledger.last} committed`,
      );
    }
    if (message.type === 'append' || commit === 0) return;
    const line = this.#ledger.lineAt(commit);
    if (line !== undefined && this.#nodeOf(to)?.durable.holds(commit, line)) return;
    violated(
      'a heartbeat tells no more than its receiver holds',
      `${from} told ${to} of ${commit}, which ${to} has not`,
    );
  }
}
