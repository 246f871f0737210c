import type { Entry } from '../../src/raft/entry.ts';
import type { Envelope, Message } from '../../src/raft/messages.ts';
import type { State } from '../../src/raft/state.ts';
import { type Durable, holdsAt, lastOf } from './model-disk.ts';

/** A node as it was when it was last looked at. */
interface Seen {
  readonly term: number;
  readonly role: string;
  readonly commit: number;
  readonly entries: readonly Entry[];
}

/** All that a node's log holds; a test's logs are small enough to be in memory whole. */
export function entriesOf({ log }: State): readonly Entry[] {
  return log.range(log.base.index + 1, log.last.index);
}

function claim(isTrue: boolean, property: string, what: string): asserts isTrue {
  if (!isTrue) throw new Error(`${property} is broken: ${what}`);
}

/**
 * The properties of Figure 3, and what they rest on, over the whole history of a cluster: crashed nodes, replaced
 * entries and lost messages included.
 */
export class CoreInvariants {
  readonly #leaders = new Map<number, string>();
  /** By node and term. */
  readonly #votes = new Map<string, string>();
  /** Every entry that ever was in any log, by index and term. */
  readonly #entries = new Map<string, { readonly text: string; readonly prevTerm: number }>();
  /** By index: the term of the entry committed there, and the term in which that was first known. */
  readonly #committed = new Map<number, { readonly term: number; readonly since: number }>();
  readonly #applied = new Map<number, string>();
  readonly #seen = new Map<string, Seen>();

  /** The highest index that any node has known to be committed. */
  get highestCommit(): number {
    return this.#committed.size;
  }

  /** A node has crashed: entries that nobody else ever held, and its disk does not, have never been. */
  forget(id: string, disks: ReadonlyMap<string, Durable>): void {
    const lost = this.#seen.get(id)?.entries ?? [];
    this.#seen.delete(id);
    const logs = [...this.#seen.values(), ...disks.values()].map(({ entries }) => entries);
    for (const { index, term } of lost) {
      const isHeld = logs.some(entries => entryAt(entries, index)?.term === term);
      if (!isHeld && !this.#committed.has(index)) this.#entries.delete(`${index}:${term}`);
    }
  }

  /** Looks at a node after something has happened to it. */
  check(state: State, running: Iterable<State>, disks: ReadonlyMap<string, Durable>): void {
    const { id, term, role, commit } = state;
    const before = this.#seen.get(id);
    const entries = entriesOf(state);
    if (before !== undefined) {
      claim(term >= before.term, 'monotonic term', `${id} went from ${before.term} to ${term}`);
      claim(commit >= before.commit, 'monotonic commit', `${id} went from ${before.commit} to ${commit}`);
      const isSameReign = role === 'leader' && before.role === 'leader' && before.term === term;
      const isAppendOnly = before.entries.every(
        entry => entry.index <= state.log.base.index || entryAt(entries, entry.index) === entry,
      );
      claim(!isSameReign || isAppendOnly, 'Leader Append-Only', `${id} replaced its own entries`);
    }
    this.#checkLog(state, entries, before?.entries ?? []);
    this.#checkLeader(state);
    this.#checkCommit(state, running, disks);
    this.#seen.set(id, { term, role, commit, entries });
  }

  /** Two logs that hold an entry of one index and term hold the same entry there, after the same term. */
  #checkLog({ id, log }: State, entries: readonly Entry[], before: readonly Entry[]): void {
    for (const [at, entry] of entries.entries()) {
      if (entryAt(before, entry.index) === entry) continue;
      const name = `${entry.index}:${entry.term}`;
      const text = JSON.stringify(entry.command);
      const prevTerm = entries[at - 1]?.term ?? log.base.term;
      const known = this.#entries.get(name) ?? { text, prevTerm };
      const isSame = known.text === text && known.prevTerm === prevTerm;
      claim(isSame, 'Log Matching', `${id} holds ${text} as ${name}, where another log held ${known.text}`);
      this.#entries.set(name, known);
    }
  }

  #checkLeader({ id, term, role, log }: State): void {
    if (role !== 'leader') return;
    const known = this.#leaders.get(term) ?? id;
    claim(known === id, 'Election Safety', `${known} and ${id} both lead term ${term}`);
    this.#leaders.set(term, id);
    for (const [index, committed] of this.#committed) {
      if (committed.since > term || index < log.base.index) continue;
      const isHeld = log.termAt(index) === committed.term;
      claim(isHeld, 'Leader Completeness', `${id} leads term ${term} without committed entry ${index}`);
    }
  }

  #checkCommit(state: State, running: Iterable<State>, disks: ReadonlyMap<string, Durable>): void {
    for (let index = this.#committed.size + 1; index <= state.commit; index += 1) {
      const term = state.log.termAt(index) ?? 0;
      this.#committed.set(index, { term, since: state.term });
      const holds = (id: string) => {
        const disk = disks.get(id);
        return disk !== undefined && holdsAt(disk, index, term);
      };
      claim(
        state.quorum.agrees(holds),
        'durability',
        `${state.id} committed ${index} without a majority's disks`,
      );
      for (const other of running) if (other.term >= state.term) this.#checkLeader(other);
    }
    for (let index = Math.max(1, state.log.base.index); index <= state.commit; index += 1) {
      const isSame = this.#committed.get(index)?.term === state.log.termAt(index);
      claim(isSame, 'State Machine Safety', `${state.id} committed another entry ${index}`);
    }
  }

  checkApplied(id: string, { index, term, command }: Entry): void {
    const text = `${term} ${JSON.stringify(command)}`;
    const known = this.#applied.get(index) ?? text;
    claim(known === text, 'State Machine Safety', `${id} applied ${text} at ${index}, where it was ${known}`);
    this.#applied.set(index, text);
  }

  /** What leaves at once may rest on nothing that a crash could take back. */
  checkSent(id: string, { message }: Envelope): void {
    const isVote = message.type === 'vote' && message.granted && !message.pre;
    const isDurable = !isVote && message.type !== 'appended' && !isCandidacy(message);
    claim(isDurable, 'durable answers', `${id} sent ${JSON.stringify(message)} without waiting for its disk`);
  }

  /** What waited for the disk must be there now. */
  checkAnswered(id: string, { to, message }: Envelope, disk: Durable): void {
    const { type, term } = message;
    const { ballot } = disk;
    const isOnDisk = (vote: string) => ballot.term > term || (ballot.term === term && ballot.vote === vote);
    if (type === 'vote' && message.granted && !message.pre) {
      claim(isOnDisk(to), 'durable votes', `${id} told ${to} of a vote that its disk does not hold`);
      this.#vote(id, term, to);
    } else if (isCandidacy(message)) {
      claim(isOnDisk(id), 'durable votes', `${id} stands in term ${term}, and its disk does not know`);
      this.#vote(id, term, id);
    } else if (type === 'appended' && ballot.term === term) {
      const isHeld = message.match <= lastOf(disk);
      claim(isHeld, 'durable entries', `${id} acknowledged ${message.match}, and its disk does not hold it`);
    }
  }

  #vote(id: string, term: number, candidate: string): void {
    const key = `${id} ${term}`;
    const known = this.#votes.get(key) ?? candidate;
    claim(known === candidate, 'one vote a term', `${id} voted in ${term} for ${known} and ${candidate}`);
    this.#votes.set(key, candidate);
  }
}

function entryAt(entries: readonly Entry[], index: number): Entry | undefined {
  return entries[index - (entries[0]?.index ?? 0)];
}

function isCandidacy(message: Message): boolean {
  return message.type === 'request-vote' && !message.pre;
}
