import type { Message, RequestVote, TimeoutNow, Vote } from '../../src/raft/messages.ts';
import type { State } from '../../src/raft/state.ts';
import type { Timing } from '../../src/raft/timing.ts';

export interface ElectionOptions {
  readonly timing: Timing;
  /** Evenly distributed in [0, 1). */
  readonly random: () => number;
  /** This node has become the leader of its term. */
  readonly onElected: () => void;
}

/**
 * Leader election (§5.2, §5.4.1).
 *
 * The problem: the leader that was given dies, and nothing is ever committed again. The rule: time is cut into
 * terms; whoever has heard no leader for a random while asks for votes in the next term, each node gives one vote
 * a term, and a majority makes a leader: two majorities share a node, so a term has one leader at most. A node
 * votes only for a log at least as up to date as its own, and every committed entry is in a majority's logs, so
 * whoever wins has them all and nothing committed is lost.
 *
 * It rests on the vote being durable before it is told: a node that forgets its vote votes twice.
 *
 * Three refinements keep a working leader in office (thesis §6.2, §9.6, §4.2.3): a node first asks whether it
 * would be elected, and raises its term only if so (PreVote); a leader that hears no majority steps down
 * (CheckQuorum); and whoever hears a leader does not help to depose it.
 */
export class Election {
  readonly #state: State;
  readonly #timing: Timing;
  readonly #random: () => number;
  readonly #onElected: () => void;
  /** Ticks since this node last heard a leader, gave a vote, or began a campaign. */
  #elapsed = 0;
  #timeout = 0;
  /** The answers to this node's present campaign. */
  readonly #votes = new Map<string, boolean>();
  /** The successor that this leader has chosen, and for how many ticks it has waited for it. */
  #transfer: { readonly to: string; ticks: number; isAsked: boolean } | undefined;

  constructor(state: State, { timing, random, onElected }: ElectionOptions) {
    this.#state = state;
    this.#timing = timing;
    this.#random = random;
    this.#onElected = onElected;
    this.#restartTimer();
  }

  /** The node that leadership is being handed to; nothing new is proposed meanwhile. */
  get successor(): string | undefined {
    return this.#transfer?.to;
  }

  /** The successor has been asked to stand. */
  get isSuccessorAsked(): boolean {
    return this.#transfer?.isAsked === true;
  }

  tick(): void {
    if (this.#state.role === 'leader') {
      this.#tickTransfer();
      return;
    }
    this.#elapsed += 1;
    if (this.#elapsed < this.#timeout) return;
    if (this.#state.mayStand) this.#campaign(true, false);
    // Who has no vote cannot stand; but a leader that is silent for so long is no leader to send anyone to.
    else this.#state.leader = null;
  }

  /**
   * What the terms of a message say about this node's own (§5.1), before anything else is done with it. False:
   * the message is of the past, or must not be listened to.
   */
  admit(from: string, message: Message): boolean {
    const { term } = this.#state;
    if (message.term < term) {
      this.#tellTerm(from, message);
      return false;
    }
    if (message.term > term) {
      if (message.type === 'request-vote') {
        if (!message.transfer && this.#hearsLeader()) return false;
        if (message.pre) return true;
      }
      const isGrantedQuestion = message.type === 'vote' && message.pre && message.granted;
      if (isGrantedQuestion) return true;
      this.#follow(message.term, null);
    }
    if (isFromLeader(message)) this.#obey(from);
    return true;
  }

  /** Someone who acts for an old term learns the new one from the answer. */
  #tellTerm(from: string, message: Message): void {
    const { term } = this.#state;
    switch (message.type) {
      case 'append':
        this.#state.send(from, {
          type: 'append-refused',
          term,
          prevIndex: message.prevIndex,
          hint: 0,
          hintTerm: 0,
        });
        return;
      case 'heartbeat':
      case 'install':
        this.#state.send(from, { type: 'heartbeat-answer', term, round: 0 });
        return;
      case 'request-vote':
        this.#state.send(from, { type: 'vote', term, pre: message.pre, granted: false });
        return;
      default:
    }
  }

  #hearsLeader(): boolean {
    return this.#state.leader !== null && this.#elapsed < this.#timing.electionTicks;
  }

  #obey(leader: string): void {
    if (this.#state.role === 'leader') {
      throw new Error(`broken invariant: ${leader} and ${this.#state.id} both lead term ${this.#state.term}`);
    }
    this.#state.role = 'follower';
    this.#state.leader = leader;
    this.#state.isDismissed = false;
    this.#elapsed = 0;
  }

  #follow(term: number, leader: string | null): void {
    if (term > this.#state.term) this.#state.cast(term, null);
    if (this.#state.role === 'leader') this.#restartTimer();
    this.#state.role = 'follower';
    this.#state.leader = leader;
    this.#state.progress.clear();
    this.#transfer = undefined;
  }

  /** A leader that a majority no longer answers gives up its office (CheckQuorum, thesis §6.2). */
  stepDown(): void {
    this.#follow(this.#state.term, null);
  }

  #restartTimer(): void {
    const { electionTicks } = this.#timing;
    this.#elapsed = 0;
    this.#timeout = electionTicks + Math.floor(this.#random() * (electionTicks + 1));
  }

  /** Asks for votes; with `pre` only whether they would be given. */
  #campaign(pre: boolean, transfer: boolean): void {
    const state = this.#state;
    this.#restartTimer();
    state.role = pre ? 'pre-candidate' : 'candidate';
    state.leader = null;
    if (!pre) state.cast(state.term + 1, state.id);
    const term = pre ? state.term + 1 : state.term;
    const { index: lastIndex, term: lastTerm } = state.log.last;
    const request: RequestVote = { type: 'request-vote', term, pre, transfer, lastIndex, lastTerm };
    this.#votes.clear();
    for (const voter of state.quorum.voters) {
      // A request rests on this node's own vote, which must not be forgotten either.
      if (voter !== state.id) state.sendDurable(voter, request);
    }
    if (pre) this.#count(state.id, true);
  }

  /** A candidate's own vote counts like any other once it is durable: alone, it would lead a term that it can forget. */
  onStored(): void {
    const { role, id, isBallotDurable } = this.#state;
    if (role === 'candidate' && isBallotDurable && !this.#votes.has(id)) this.#count(id, true);
  }

  onRequestVote(from: string, { term, pre, lastIndex, lastTerm }: RequestVote): void {
    const state = this.#state;
    const { last } = state.log;
    const isFree = pre
      ? term > state.term
      : state.vote === from || (state.vote === null && state.leader === null);
    // The more up-to-date log is the one whose last entry has the later term, or of two such the longer (§5.4.1).
    const isUpToDate = lastTerm > last.term || (lastTerm === last.term && lastIndex >= last.index);
    const granted = isFree && isUpToDate;
    if (!granted) {
      state.send(from, { type: 'vote', term: state.term, pre, granted });
      return;
    }
    if (pre) {
      state.send(from, { type: 'vote', term, pre, granted });
      return;
    }
    state.cast(term, from);
    this.#elapsed = 0;
    state.sendDurable(from, { type: 'vote', term, pre, granted });
  }

  onVote(from: string, { term, pre, granted }: Vote): void {
    const { role, term: own } = this.#state;
    const isAsked = pre ? role === 'pre-candidate' : role === 'candidate';
    if (!isAsked || (pre && granted && term !== own + 1)) return;
    this.#count(from, granted);
  }

  #count(voter: string, granted: boolean): void {
    const { role, quorum } = this.#state;
    this.#votes.set(voter, granted);
    if (quorum.agrees(id => this.#votes.get(id) === true)) {
      if (role === 'pre-candidate') this.#campaign(false, false);
      else this.#win();
    } else if (quorum.isLost(id => this.#votes.get(id) === false)) {
      this.#state.role = 'follower';
    }
  }

  #win(): void {
    this.#state.role = 'leader';
    this.#state.leader = this.#state.id;
    this.#transfer = undefined;
    this.#elapsed = 0;
    this.#onElected();
  }

  /** Hands leadership over (thesis §3.10): once the successor's log is as long as this one, it may ask for votes at once. */
  transfer(to: string): void {
    const { role, quorum, id } = this.#state;
    if (role !== 'leader' || to === id || !quorum.has(to)) return;
    // To name it again does not give it longer: whoever asks once a second would stop all work.
    if (this.#transfer?.to === to) return;
    this.#transfer = { to, ticks: 0, isAsked: false };
  }

  /**
   * Asks the successor to stand as soon as it has everything. All of it is committed by then, so that whoever waits
   * for an answer here has it, even if this node never hears of its successor.
   */
  pursueTransfer(): void {
    const { progress, log, term, commit } = this.#state;
    const transfer = this.#transfer;
    if (transfer === undefined || transfer.isAsked || commit < log.last.index) return;
    if (progress.get(transfer.to)?.match !== log.last.index) return;
    transfer.isAsked = true;
    this.#state.send(transfer.to, { type: 'timeout-now', term });
  }

  /** A successor that does not take over within an election timeout is given up, and work goes on. */
  #tickTransfer(): void {
    if (this.#transfer === undefined) return;
    this.#transfer.ticks += 1;
    if (this.#transfer.ticks >= this.#timing.electionTicks) this.#transfer = undefined;
  }

  onTimeoutNow(from: string, _message: TimeoutNow): void {
    const { leader, role, quorum, id } = this.#state;
    if (role === 'follower' && leader === from && quorum.has(id)) this.#campaign(false, true);
  }
}

/** What only the leader of a term sends. */
function isFromLeader({ type }: Message): boolean {
  return type === 'append' || type === 'heartbeat' || type === 'install';
}
