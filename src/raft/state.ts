import type { Ballot, Entry, Position } from './entry.ts';
import { Log } from './log.ts';
import type { Envelope, Message } from './messages.ts';
import type { Progress } from './progress.ts';
import type { Quorum } from './quorum.ts';
import type { ReadGrant, Ready } from './ready.ts';

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/** What a node starts from: its own disk, and the configuration that it found there or was given. */
export interface Beginning {
  readonly id: string;
  readonly quorum: Quorum;
  readonly ballot: Ballot;
  readonly base: Position;
  /** The entries after the base, all durable. */
  readonly entries: readonly Entry[];
  /** The highest index known to be committed; those up to it are handed out for applying first of all. */
  readonly commit: number;
}

/** Bytes of applied entries that stay in memory for followers that are a little behind. */
const CACHE_BYTES = 8 * 1_048_576;

/**
 * The state of Figure 2 that the chapters share, and the outbox of a turn. It checks what no chapter may break
 * (terms and the commit index never fall, what is committed is never truncated) and decides nothing.
 */
export class State {
  readonly id: string;
  readonly log: Log;
  /** Who has to agree. */
  quorum: Quorum;
  /** Every other node that the log is replicated to. */
  peers: readonly string[];
  role: Role = 'follower';
  /** The leader of this term, as far as this node knows. */
  leader: string | null = null;
  /** At the leader: what it knows of every other node. */
  readonly progress = new Map<string, Progress>();
  /** At the leader: once this index is committed, it knows all that was committed before it led (§8). */
  leadsFrom = 0;

  #ballot: Ballot;
  #commit: number;
  /** The highest index that was handed out for applying. */
  #handed: number;
  /** The highest index of this log that is durable here. */
  #durable: number;

  #unsavedBallot = false;
  #unsaved: Entry[] = [];
  #savedCommit: number;
  #mark = 0;
  /** The marks with which the ballot will be durable, and up to which everything is. */
  #ballotMark = 0;
  #storedMark = 0;
  /** What will be durable with each mark that is not yet. */
  #saving: { readonly mark: number; last: number }[] = [];
  #messages: Envelope[] = [];
  #answers: Envelope[] = [];
  #reads: ReadGrant[] = [];

  constructor({ id, quorum, ballot, base, entries, commit }: Beginning) {
    this.id = id;
    this.quorum = quorum;
    this.peers = quorum.voters.filter(voter => voter !== id);
    this.#ballot = ballot;
    this.log = new Log(base, entries);
    this.#commit = Math.max(commit, base.index);
    this.#savedCommit = this.#commit;
    this.#handed = base.index;
    this.#durable = this.log.last.index;
    if (this.#commit > this.log.last.index)
      throw new Error('broken invariant: committed beyond the end of the log');
    if (this.log.last.term > ballot.term)
      throw new Error(
        `broken invariant: an entry of term ${this.log.last.term}, and a ballot of ${ballot.term}`,
      );
  }

  get term(): number {
    return this.#ballot.term;
  }

  get vote(): string | null {
    return this.#ballot.vote;
  }

  get commit(): number {
    return this.#commit;
  }

  /** Whether this node's term and vote would outlive a crash. */
  get isBallotDurable(): boolean {
    return !this.#unsavedBallot && this.#ballotMark <= this.#storedMark;
  }

  get durable(): number {
    return this.#durable;
  }

  get handed(): number {
    return this.#handed;
  }

  /** Enters a term, or votes in one; nothing that rests on it leaves before it is durable. */
  cast(term: number, vote: string | null): void {
    const isChange = term === this.term && this.vote !== null && vote !== this.vote;
    if (term < this.term || isChange) {
      throw new Error(
        `broken invariant: ${this.id} voted ${this.vote} in term ${this.term}, now ${vote} in ${term}`,
      );
    }
    if (term > this.term) this.leader = null;
    this.#ballot = { term, vote };
    this.#unsavedBallot = true;
  }

  append(entries: readonly Entry[]): void {
    this.log.append(entries);
    this.#unsaved.push(...entries);
  }

  /** Removes entries that conflict with the leader's (§5.3); they were never committed. */
  truncate(from: number): void {
    if (from <= this.#commit)
      throw new Error(`broken invariant: ${from} is committed and cannot be truncated`);
    if (this.role === 'leader' && from <= this.log.last.index)
      throw new Error(`broken invariant: ${this.id} leads, and would remove ${from} from its own log`);
    this.log.truncate(from);
    this.#durable = Math.min(this.#durable, from - 1);
    for (const saving of this.#saving) saving.last = Math.min(saving.last, from - 1);
    this.#unsaved = this.#unsaved.filter(entry => entry.index < from);
  }

  /** Raises the commit index; a lower one is old news. */
  commitTo(index: number): void {
    if (index > this.log.last.index)
      throw new Error(`broken invariant: ${index} is committed but not in the log`);
    if (index > this.#commit) this.#commit = index;
  }

  /** Sends a message that rests on nothing this node could forget. */
  send(to: string, message: Message): void {
    this.#messages.push({ to, message });
  }

  /** Sends a message once everything so far is durable: a vote, or an answer to entries. */
  sendDurable(to: string, message: Message): void {
    this.#answers.push({ to, message });
  }

  /** Lets the reads asked for under a number be answered. */
  grant(read: ReadGrant): void {
    this.#reads.push(read);
  }

  /** Everything up to a mark is durable. */
  stored(mark: number): void {
    this.#storedMark = Math.max(this.#storedMark, mark);
    for (let first = this.#saving[0]; first !== undefined && first.mark <= mark; first = this.#saving[0]) {
      this.#durable = Math.max(this.#durable, first.last);
      this.#saving.shift();
    }
  }

  /** Takes out what a turn has brought. */
  take(): Ready {
    const ballot = this.#unsavedBallot ? this.#ballot : undefined;
    const entries = this.#unsaved;
    const commit = this.#commit === this.#savedCommit ? undefined : this.#commit;
    if (ballot !== undefined || entries.length > 0) {
      this.#mark += 1;
      if (ballot !== undefined) this.#ballotMark = this.#mark;
      this.#saving.push({ mark: this.#mark, last: this.log.last.index });
    }
    const committed = this.log.range(this.#handed + 1, this.#commit);
    this.log.shrink(this.#handed, CACHE_BYTES);
    const ready = {
      mark: this.#mark,
      ballot,
      entries,
      commit,
      messages: this.#messages,
      answers: this.#answers,
      reads: this.#reads,
    };
    this.#handed = this.#commit;
    this.#savedCommit = this.#commit;
    this.#unsavedBallot = false;
    this.#unsaved = [];
    this.#messages = [];
    this.#answers = [];
    this.#reads = [];
    return { ...ready, committed };
  }
}
