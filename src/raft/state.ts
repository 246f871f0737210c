import { type Configuration, isConfiguration, quorumOf } from './configuration.ts';
import { Contradiction } from './contradiction.ts';
import type { Ballot, Entry, Position } from './entry.ts';
import { Log } from './log.ts';
import type { Envelope, Install, Message } from './messages.ts';
import type { Progress } from './progress.ts';
import type { Quorum } from './quorum.ts';
import type { ReadGrant, Ready } from './ready.ts';

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/** What a node starts from: its own disk, and the configuration that it found there or was given. */
export interface Beginning {
  readonly id: string;
  /** The configuration in force at the base. */
  readonly configuration: Configuration;
  readonly ballot: Ballot;
  /** Where the log begins: the entry just before its first. */
  readonly base: Position;
  /** What the newest snapshot stands for, where there is one: that much is applied. It is no earlier than the base. */
  readonly snapshot?: Position;
  /** The entries after the base, all durable. */
  readonly entries: readonly Entry[];
  /** The highest index known to be committed; those up to it are handed out for applying first of all. */
  readonly commit: number;
  /** This node was a member once; its log alone may not tell any more. */
  readonly wasMember?: boolean;
}

/** A configuration, and the index of the entry that brought it. */
interface Placed {
  readonly index: number;
  readonly configuration: Configuration;
}

/** Bytes of applied entries that stay in memory for followers that do not have them yet. */
const CACHE_BYTES = 8 * 1_048_576;

/**
 * The state of Figure 2 that the chapters share, and the outbox of a turn. It checks what no chapter may break
 * (terms and the commit index never fall, what is committed is never truncated) and decides nothing.
 */
export class State {
  readonly id: string;
  readonly log: Log;
  role: Role = 'follower';
  /** The leader of this term, as far as this node knows. */
  leader: string | null = null;
  /** At the leader: what it knows of every other node. */
  readonly progress = new Map<string, Progress>();
  /** Another member has said that this node was removed; until a leader speaks to it again. */
  isDismissed = false;
  /** At the leader: once this index is committed, it knows all that was committed before it led (§8). */
  leadsFrom = 0;

  /** That of the base, and those of the entries after it, oldest first: a node uses the latest in its log, committed or not (§6). */
  readonly #configurations: Placed[];
  /** What was compacted had this node as a member. */
  #wasMember: boolean;
  #quorum: Quorum;
  #peers: readonly string[];
  #ballot: Ballot;
  #commit: number;
  /** The highest index that was handed out for applying. */
  #handed: number;
  /** The highest index of this log that is durable here. */
  #durable: number;
  #snapshot: Position;

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
  #pieces: Install[] = [];
  #begins: Position | undefined;

  constructor({ id, configuration, ballot, base, snapshot = base, entries, commit, wasMember }: Beginning) {
    this.id = id;
    this.#wasMember = wasMember === true;
    this.#configurations = [{ index: base.index, configuration }, ...configurationsIn(entries)];
    this.#quorum = quorumOf(this.configuration);
    this.#peers = this.#others();
    this.#ballot = ballot;
    this.log = new Log(base, entries);
    this.#snapshot = snapshot;
    this.#commit = Math.max(commit, snapshot.index);
    this.#savedCommit = this.#commit;
    this.#handed = snapshot.index;
    this.#durable = this.log.last.index;
    if (this.#commit > this.log.last.index)
      throw new Error('broken invariant: committed beyond the end of the log');
    if (this.log.last.term > ballot.term)
      throw new Error(
        `broken invariant: an entry of term ${this.log.last.term}, and a ballot of ${ballot.term}`,
      );
  }

  /** The members, as the latest configuration in the log has them. */
  get configuration(): Configuration {
    return this.#latest.configuration;
  }

  /** The index of the entry that brought the configuration; that of the base when none did. */
  get configurationIndex(): number {
    return this.#latest.index;
  }

  /** The index of the entry that brought the latest configuration that is committed; nothing can take that one back. */
  get settledIndex(): number {
    return this.#settled.index;
  }

  /** The members, as the latest committed configuration has them. */
  get settledConfiguration(): Configuration {
    return this.#settled.configuration;
  }

  get #settled(): Placed {
    const settled = this.#configurations.findLast(({ index }) => index <= this.#commit);
    return settled ?? this.#latest;
  }

  /**
   * Every other node that this one has to do with, and where it listens: the members now, those that may be members
   * again if a configuration is rolled back, and those that a leader still tells of their removal.
   */
  get contacts(): Readonly<Record<string, string>> {
    const since = this.settledIndex;
    const contacts = new Map<string, string>();
    for (const { index, configuration } of this.#configurations) {
      for (const [id, address] of Object.entries(configuration.nodes)) {
        if (id !== this.id && (index >= since || this.progress.has(id))) contacts.set(id, address);
      }
    }
    return Object.fromEntries(contacts);
  }

  /**
   * Whether this node may ask to be elected: it votes, or did before a configuration that is not committed yet. Such
   * a one is still needed, since nobody else may hold that configuration (thesis §4.2.2); its own vote does not count.
   */
  get mayStand(): boolean {
    const since = this.settledIndex;
    const isVoter = ({ index, configuration: { voters, old = [] } }: Placed) =>
      index >= since && (voters.includes(this.id) || old.includes(this.id));
    return !this.isDismissed && this.#configurations.some(isVoter);
  }

  /** The entry of the latest configuration that has this node as a member; 0 when none does. */
  get memberSince(): number {
    const isMember = ({ configuration }: Placed) => Object.hasOwn(configuration.nodes, this.id);
    return this.#configurations.findLast(isMember)?.index ?? 0;
  }

  /** Whether a node is or was a member, as far as this log tells. */
  knows(id: string): boolean {
    return this.#configurations.some(({ configuration }) => Object.hasOwn(configuration.nodes, id));
  }

  /** This node was a member once, and is known to be none any more. */
  get isRemoved(): boolean {
    if (this.isDismissed) return true;
    const isMember = Object.hasOwn(this.configuration.nodes, this.id);
    const wasMember = this.#wasMember || this.knows(this.id);
    return !isMember && wasMember && this.configurationIndex <= this.#commit;
  }

  get #latest(): Placed {
    const latest = this.#configurations.at(-1);
    if (latest === undefined) throw new Error('broken invariant: a node without a configuration');
    return latest;
  }

  /** Who has to agree. */
  get quorum(): Quorum {
    return this.#quorum;
  }

  /** Every other node that the log is replicated to, voter or not. */
  get peers(): readonly string[] {
    return this.#peers;
  }

  #others(): string[] {
    return Object.keys(this.configuration.nodes).filter(node => node !== this.id);
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

  /** What the newest snapshot here stands for; 0 and 0 where there is none. */
  get snapshot(): Position {
    return this.#snapshot;
  }

  /** The members as of an entry: what a snapshot of everything up to it has to tell. */
  configurationAt(index: number): Configuration {
    const found = this.#configurations.findLast(placed => placed.index <= index);
    if (found === undefined) throw new Error(`broken invariant: ${index} lies before the log's base`);
    return found.configuration;
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

  /** Where the cluster comes from, of the latest configuration that says it: an earlier version leaves it out of those that it makes. */
  get origin(): string | undefined {
    return this.#configurations.findLast(({ configuration }) => configuration.origin !== undefined)
      ?.configuration.origin;
  }

  /**
   * What is committed stays (§5.4). A leader that has something else in its place leads those who have lost it, and this
   * node may be the last to have it: it must neither give way nor count with them. Throws where an entry of the leader's
   * log cannot be the one that is committed here.
   */
  checkCommitted(leader: string, { index, term }: Position): void {
    const { id, commit, log } = this;
    if (index > commit) return;
    // Of what is compacted only the last term is known; there was none later before it.
    const isOther = index < log.base.index ? term > log.base.term : log.termAt(index) !== term;
    if (isOther) throw new Contradiction(id, leader, { index, term }, commit);
  }

  append(entries: readonly Entry[]): void {
    this.log.append(entries);
    this.#unsaved.push(...entries);
    const configurations = configurationsIn(entries);
    if (configurations.length === 0) return;
    this.#configurations.push(...configurations);
    this.#reconfigure();
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
    if (this.configurationIndex < from) return;
    while (this.configurationIndex >= from) this.#configurations.pop();
    this.#reconfigure();
  }

  /** A snapshot now stands for everything up to an entry, and the log is to begin behind `base`, no later than it. */
  compact(snapshot: Position, base: number): void {
    const { index, term } = snapshot;
    if (index <= this.#snapshot.index) return;
    if (index > this.#handed)
      throw new Error(`broken invariant: ${index} is compacted, and no more than ${this.#handed} is applied`);
    if (base > index)
      throw new Error(`broken invariant: the log would begin behind ${base}, beyond the snapshot`);
    if (this.log.termAt(index) !== term)
      throw new Error(`broken invariant: a snapshot of ${index} in term ${term} is not of this log`);
    this.#snapshot = snapshot;
    this.log.compact(base);
    this.#noteMembership();
    const folded = this.#configurations.findLastIndex(placed => placed.index <= base);
    this.#configurations.splice(0, folded);
  }

  /**
   * A snapshot that came from the leader stands for everything up to an entry; it is durable, and more than this node
   * has. Where the log has that very entry, what follows it stays; else nothing of the log can be of use (§7). Returns
   * whether the log on the disk goes on, or is to begin anew.
   */
  restore(snapshot: Position, configuration: Configuration): boolean {
    const { index, term } = snapshot;
    if (index <= this.#commit || this.role === 'leader')
      throw new Error(`broken invariant: ${this.id} would go back to ${index} from ${this.#commit}`);
    this.#noteMembership();
    const fits = this.log.termAt(index) === term;
    const later = fits ? this.#configurations.filter(placed => placed.index > index) : [];
    this.#configurations.splice(0, Number.POSITIVE_INFINITY, { index, configuration }, ...later);
    // The disk may have yet to be told of that entry, and of what it replaces: then it keeps only what follows.
    const firstUnsaved = this.#unsaved[0]?.index ?? Number.POSITIVE_INFINITY;
    const goesOn = fits && firstUnsaved > index;
    if (fits) this.log.compact(index);
    else this.log.restart(snapshot);
    this.#unsaved = fits ? this.#unsaved.filter(entry => entry.index > index) : [];
    if (goesOn) this.#durable = Math.max(this.#durable, index);
    else {
      for (const saving of this.#saving) saving.last = index;
      this.#durable = index;
      this.#begins = snapshot;
    }
    this.#snapshot = snapshot;
    this.#commit = index;
    this.#handed = index;
    this.#reconfigure();
    return goesOn;
  }

  /** Before configurations go: keeps in mind whether one that is committed had this node as a member. */
  #noteMembership(): void {
    this.#wasMember ||= this.#configurations.some(
      ({ index, configuration }) => index <= this.#commit && Object.hasOwn(configuration.nodes, this.id),
    );
  }

  #reconfigure(): void {
    this.#quorum = quorumOf(this.configuration);
    this.#peers = this.#others();
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

  /** Hands a piece of a snapshot to the host. */
  receive(piece: Install): void {
    this.#pieces.push(piece);
  }

  /** Everything up to a mark is durable. */
  stored(mark: number): void {
    this.#storedMark = Math.max(this.#storedMark, mark);
    for (let first = this.#saving[0]; first !== undefined && first.mark <= mark; first = this.#saving[0]) {
      this.#durable = Math.max(this.#durable, first.last);
      this.#saving.shift();
    }
  }

  /**
   * The last entry that nobody will have to be sent: what every node has. A log that forgets such entries at once has
   * them die young, and moving what lives on is most of what a collection of garbage costs.
   */
  get #held(): number {
    let held = Number.POSITIVE_INFINITY;
    if (this.role === 'leader') for (const { match } of this.progress.values()) held = Math.min(held, match);
    return held;
  }

  /** Whether `take` would bring anything. */
  get isReady(): boolean {
    return (
      this.#unsavedBallot ||
      this.#unsaved.length > 0 ||
      this.#commit !== this.#savedCommit ||
      this.#commit > this.#handed ||
      this.#messages.length > 0 ||
      this.#answers.length > 0 ||
      this.#reads.length > 0 ||
      this.#pieces.length > 0 ||
      this.#begins !== undefined
    );
  }

  /** Takes out what a turn has brought. */
  take(): Ready {
    const ballot = this.#unsavedBallot ? this.#ballot : undefined;
    const entries = this.#unsaved;
    const begins = this.#begins;
    const commit = this.#commit === this.#savedCommit ? undefined : this.#commit;
    if (ballot !== undefined || begins !== undefined || entries.length > 0) {
      this.#mark += 1;
      if (ballot !== undefined) this.#ballotMark = this.#mark;
      this.#saving.push({ mark: this.#mark, last: this.log.last.index });
    }
    const committed = this.log.range(this.#handed + 1, this.#commit);
    this.log.forget(Math.min(this.#handed, this.#held));
    this.log.shrink(this.#handed, CACHE_BYTES);
    const ready = {
      mark: this.#mark,
      committed,
      ballot,
      begins,
      entries,
      commit,
      messages: this.#messages,
      answers: this.#answers,
      reads: this.#reads,
      pieces: this.#pieces,
    };
    this.#handed = this.#commit;
    this.#savedCommit = this.#commit;
    this.#unsavedBallot = false;
    this.#begins = undefined;
    this.#unsaved = [];
    this.#messages = [];
    this.#answers = [];
    this.#reads = [];
    this.#pieces = [];
    return ready;
  }
}

function configurationsIn(entries: readonly Entry[]): Placed[] {
  const placed: Placed[] = [];
  for (const { index, command } of entries) {
    if (isConfiguration(command)) placed.push({ index, configuration: command });
  }
  return placed;
}
