import type { Entry } from '../../src/raft/entry.ts';
import type { Append, Appended, AppendRefused } from '../../src/raft/messages.ts';
import { Progress } from '../../src/raft/progress.ts';
import type { Proposal } from '../../src/raft/proposal.ts';
import type { State } from '../../src/raft/state.ts';

/** Bytes of entries in one message. */
const BATCH_BYTES = 262_144;
/** Messages, and bytes of entries, that may be on their way to one node. */
const WINDOW = 128;
const WINDOW_BYTES = 4 * 1_048_576;
/** Bytes of entries in a message that may well be refused. */
const PROBE_BYTES = 4_096;
/** Entries read back from disk for one message. */
const STORED_ENTRIES = 4_096;

export interface ReplicationOptions {
  /**
   * The leader is given, so it comes back from a crash in the very term in which it went. Had it told anyone of an
   * entry that it has lost, the next would go by the same index and term. So its entries leave when they are durable
   * here. An elected leader comes back as a follower, and has no need to wait.
   */
  readonly isLeaderGiven: boolean;
  /** A node lacks entries that this log no longer has; until stage 7 a log has them all. */
  readonly onBehind?: (id: string, progress: Progress) => void;
}

/**
 * Log replication (§5.3).
 *
 * The problem: stage 2 sent each change by itself, and nodes that had missed one differed for ever. The rule: put
 * the changes into one sequence, the log, and make every log equal to the leader's. Each message names the entry
 * just before those it brings; a follower that does not have that very entry refuses, and the leader goes back
 * until the two logs agree, then overwrites what follows. By induction, two logs that hold an entry of the same
 * index and term are equal up to it (the Log Matching Property), so "the follower has entry n" says all there is
 * to know about it, and an entry that a majority has can be neither lost nor replaced: it is committed, and safe
 * to apply.
 *
 * It rests on there being one leader in a term, and on answers that leave only when what they say is durable.
 */
export class Replication {
  readonly #state: State;
  readonly #isLeaderGiven: boolean;
  readonly #onBehind: (id: string, progress: Progress) => void;
  /** Bytes of this leader's entries that are not committed. */
  #uncommittedBytes = 0;
  #counted = 0;

  constructor(state: State, { isLeaderGiven, onBehind = tooFarBehind }: ReplicationOptions) {
    this.#state = state;
    this.#isLeaderGiven = isLeaderGiven;
    this.#onBehind = onBehind;
  }

  /** Bytes that wait to be committed; what bounds how much a leader takes on. */
  get uncommittedBytes(): number {
    return this.#uncommittedBytes;
  }

  /** Begins to lead: nothing is known of the others' logs, so the search starts at the end of this one. */
  lead(): void {
    const { log, progress, commit, peers } = this.#state;
    this.#state.leadsFrom = log.last.index;
    progress.clear();
    for (const id of peers) progress.set(id, new Progress(log.last.index + 1));
    this.#counted = commit;
    this.#uncommittedBytes = log
      .range(commit + 1, log.last.index)
      .reduce((sum, entry) => sum + entry.size, 0);
    // A given leader that is alone has a majority of what its disk holds, and nobody's answer would tell it.
    this.advance();
  }

  /** Appends commands of the given sizes to the leader's log; returns the index of the first. */
  propose(proposals: readonly Proposal[]): number {
    const { log, term, role } = this.#state;
    if (role !== 'leader') throw new Error(`broken invariant: ${this.#state.id} proposes and does not lead`);
    const first = log.last.index + 1;
    const entries = proposals.map(
      ({ command, size }, at): Entry => ({ index: first + at, term, command, size, line: undefined }),
    );
    for (const entry of entries) this.#uncommittedBytes += entry.size;
    this.#state.append(entries);
    return first;
  }

  /** Sends every node what it is due, once a turn: so all that a turn proposes travels together. */
  broadcast(): void {
    for (const [id, progress] of this.#state.progress) {
      if (progress.mode === 'probe') this.#probe(id, progress);
      else if (progress.mode === 'stream') this.#stream(id, progress);
    }
  }

  /** The way to a node is open again, or what was sent to it may be lost: find out what it has. */
  reconnect(id: string): void {
    const progress = this.#state.progress.get(id);
    // Before the first agreement nothing is known to have arrived: the search goes on where it was, or every
    // node that is away when a leader begins would be sent the whole log.
    progress?.probe(progress.mode === 'probe' ? progress.next : progress.match + 1);
  }

  #probe(id: string, progress: Progress): void {
    if (progress.isWaiting) return;
    progress.isWaiting = true;
    this.#append(id, progress);
  }

  /** The last entry that may leave this leader. */
  get #sendable(): number {
    const { log, durable } = this.#state;
    return this.#isLeaderGiven ? durable : log.last.index;
  }

  #stream(id: string, progress: Progress): void {
    const { commit } = this.#state;
    while (
      progress.mode === 'stream' &&
      progress.next <= this.#sendable &&
      progress.inFlight < WINDOW &&
      progress.inFlightBytes < WINDOW_BYTES &&
      !progress.isWaiting
    ) {
      this.#append(id, progress);
    }
    // With entries on their way the news of a commit can ride on the next; alone it has to go by itself.
    if (
      progress.mode === 'stream' &&
      progress.inFlight === 0 &&
      progress.toldCommit < Math.min(commit, progress.match)
    ) {
      this.#append(id, progress);
    }
  }

  #append(id: string, progress: Progress): void {
    const { log, term, commit } = this.#state;
    const { next } = progress;
    const prevIndex = next - 1;
    const prevTerm = log.termAt(prevIndex);
    if (prevTerm === undefined) {
      this.#onBehind(id, progress);
      return;
    }
    progress.toldCommit = commit;
    if (progress.mode === 'stream' && next <= log.last.index && next < log.firstCached) {
      // Too old for memory: the host reads a batch from disk, and the answer tells how much of it arrived.
      progress.isWaiting = true;
      const to = Math.min(log.firstCached - 1, next + STORED_ENTRIES - 1);
      const stored = { from: next, to };
      this.#state.send(id, { type: 'append', term, prevIndex, prevTerm, commit, entries: [], stored });
      return;
    }
    const isProbe = progress.mode === 'probe';
    const entries = log.cached(next, this.#sendable, isProbe ? PROBE_BYTES : BATCH_BYTES);
    const last = entries.at(-1);
    if (last !== undefined && !isProbe) {
      progress.sent(
        last.index,
        entries.reduce((sum, entry) => sum + entry.size, 0),
      );
    }
    this.#state.send(id, { type: 'append', term, prevIndex, prevTerm, commit, entries });
  }

  /** At a follower: receives entries (Figure 2, "AppendEntries RPC, receiver implementation"). */
  onAppend(from: string, { prevIndex, prevTerm, entries, commit }: Append): void {
    const state = this.#state;
    const { log, term } = state;
    state.checkCommitted(from, { index: prevIndex, term: prevTerm });
    for (const entry of entries) {
      if (entry.index > state.commit) break;
      state.checkCommitted(from, entry);
    }
    // What is committed here agrees with every leader, so older news must not touch the log.
    if (prevIndex < log.base.index) {
      state.sendDurable(from, { type: 'appended', term, match: state.commit });
      return;
    }
    if (log.termAt(prevIndex) !== prevTerm) {
      const hint = log.lastWithin(prevIndex, prevTerm);
      const hintTerm = log.termAt(hint) ?? 0;
      state.sendDurable(from, { type: 'append-refused', term, prevIndex, hint, hintTerm });
      return;
    }
    // Only a real conflict truncates: entries that match stay, or an old message could cut off newer ones (§5.3).
    const fresh = entries.findIndex(entry => log.termAt(entry.index) !== entry.term);
    if (fresh !== -1) {
      state.truncate(prevIndex + 1 + fresh);
      state.append(entries.slice(fresh));
    }
    const match = prevIndex + entries.length;
    // No further than what this message has verified: what lies behind may be of another leader.
    state.commitTo(Math.min(commit, match));
    state.sendDurable(from, { type: 'appended', term, match });
  }

  onAppended(from: string, { match }: Appended): void {
    const progress = this.#state.progress.get(from);
    if (progress === undefined) return;
    if (match > this.#state.log.last.index) return; // no answer to anything of this leader
    // While a snapshot is on its way, an old answer must not end it: only one that the log goes on from does.
    if (progress.mode === 'snapshot' && this.#state.log.termAt(match) === undefined) return;
    progress.arrived(match);
    progress.mode = 'stream';
    this.advance();
  }

  onRefused(from: string, { prevIndex, hint, hintTerm }: AppendRefused): void {
    const progress = this.#state.progress.get(from);
    if (progress === undefined || prevIndex <= progress.match) return; // an old answer
    if (progress.mode === 'probe' && prevIndex !== progress.next - 1) return; // an old answer
    if (progress.mode === 'snapshot') return; // an old answer
    const { log } = this.#state;
    // What they agree on lies before the first entry here, or at the base they do not agree: nothing here can tell.
    if (hint < log.base.index || prevIndex <= log.base.index) this.#onBehind(from, progress);
    else progress.probe(log.lastWithin(hint, hintTerm) + 1);
  }

  /** Raises the commit index to what enough logs hold durably, this one's included. */
  advance(): void {
    const state = this.#state;
    const { log } = state;
    const index = state.quorum.reached(id =>
      id === state.id ? state.durable : (state.progress.get(id)?.match ?? 0),
    );
    // Counting commits only entries of the leader's own term; those before come with them (§5.4.2, Figure 8).
    if (index <= state.commit || log.termAt(index) !== state.term) return;
    state.commitTo(index);
    for (const entry of log.range(this.#counted + 1, index)) this.#uncommittedBytes -= entry.size;
    this.#counted = index;
  }
}

function tooFarBehind(id: string): never {
  throw new Error(`broken invariant: ${id} lacks entries that the leader's log does not have`);
}
