import { answer, answerLocally } from '../kv/queries.ts';
import type { Store } from '../kv/store.ts';
import type { Clock } from '../ports/clock.ts';
import type { ReadGrant } from '../raft/ready.ts';
import type { ReadRequest } from '../wire/ops.ts';
import { failed } from '../wire/reply.ts';
import type { Core } from './host.ts';
import type { Responder } from './server.ts';
import { isHopeless, leaderOf, noLeader, notLeader, shuttingDown, type Waiting } from './waiting.ts';

/** Milliseconds after which a follower asks its leader again what a read has to wait for. */
const READ_PATIENCE = 500;
/** Milliseconds of answering reads in one turn. */
const SLICE = 10;

/** Something that is to be done where a read would be answered: with all applied that was committed when it was asked. */
interface Confirmation {
  readonly op: 'confirm';
  readonly run: () => void;
}

type Asked = Waiting<ReadRequest | Confirmation>;

/** Reads that were asked for together, under one number. */
interface ReadBatch {
  readonly reads: readonly Asked[];
  /** Under which they are being asked for, 0 before; a new one at every try, so that no old answer serves them. */
  number: number;
  askedAt: number;
  /** Set once granted: they may be answered when this index is applied. */
  index: number | undefined;
}

export interface ReadsOptions {
  readonly store: Store;
  readonly core: Core;
  readonly clock: Clock;
  /** Where a node listens, by its id. */
  readonly addressOf: (id: string) => string | undefined;
  /** Has the host take a turn. */
  readonly wake: () => void;
  /** Where their numbers begin: elsewhere at every start, or the leader's answer to a former life would do. */
  readonly firstNumber: number;
}

/** Reads on their way: a turn's reads are one batch, which waits for the index that the leader names for it. */
export class Reads {
  readonly #options: ReadsOptions;
  readonly #core: Core;
  /** Reads for this turn. */
  #reads: Asked[] = [];
  #batches: ReadBatch[] = [];
  /** Reads that may be answered, and have not been yet. */
  #ripe: Asked[] = [];
  #isAnswering = false;
  #number: number;

  constructor(options: ReadsOptions) {
    this.#options = options;
    this.#core = options.core;
    this.#number = options.firstNumber;
  }

  take(request: ReadRequest, responder: Responder): void {
    const { store } = this.#options;
    if (request.read === 'stale') {
      responder.answer(answer(store, request));
      return;
    }
    if (this.#core.read === undefined) {
      responder.answer(answerLocally(store, request));
      return;
    }
    if (request.forward === false && this.#core.state.role !== 'leader') {
      responder.answer(failed(notLeader(leaderOf(this.#core, this.#options.addressOf))));
      return;
    }
    this.#wait(request, responder);
  }

  /** Does something once all is applied here that was committed when this was called; or answers why that is not to be. */
  confirm(responder: Responder, run: () => void): void {
    if (this.#core.read === undefined) run();
    else this.#wait({ op: 'confirm', run }, responder);
  }

  #wait(request: ReadRequest | Confirmation, responder: Responder): void {
    this.#reads.push({ request, responder, since: this.#options.clock.now() });
    this.#options.wake();
  }

  /** Asks for what this turn has brought, and for what has to be asked again. */
  ask(): void {
    if (this.#reads.length > 0) {
      this.#batches.push({ reads: this.#reads, number: 0, askedAt: 0, index: undefined });
      this.#reads = [];
    }
    for (const batch of this.#batches) if (batch.number === 0) this.#ask(batch);
  }

  #ask(batch: ReadBatch): void {
    const { leader } = this.#core.state;
    if (leader === null) return;
    this.#number += 1;
    batch.number = this.#number;
    batch.askedAt = this.#options.clock.now();
    this.#core.read?.(batch.number);
  }

  /** Another leader, or none: what was asked of the former one is asked anew. */
  onLeaderChange(): void {
    for (const batch of this.#batches) if (batch.index === undefined) batch.number = 0;
  }

  granted({ number, index }: ReadGrant): void {
    const batch = this.#batches.find(asked => asked.number === number);
    if (batch !== undefined) batch.index = index;
  }

  /** Answers what may be answered with everything up to an index applied. */
  answerUpTo(applied: number): void {
    const isRipe = ({ index }: ReadBatch) => index !== undefined && index <= applied;
    if (!this.#batches.some(isRipe)) return;
    for (const batch of this.#batches) if (isRipe(batch)) this.#ripe.push(...batch.reads);
    this.#batches = this.#batches.filter(batch => !isRipe(batch));
    this.#answerRipe();
  }

  /** Answers for a while, and goes on in a later turn: long lists must not keep heartbeats waiting. */
  #answerRipe(): void {
    if (this.#isAnswering) return;
    const { clock, store } = this.#options;
    const end = clock.now() + SLICE;
    for (let count = 0; count < this.#ripe.length; count += 1) {
      const read = this.#ripe[count];
      if (read?.request.op === 'confirm') read.request.run();
      else read?.responder.answer(answer(store, read.request));
      if (clock.now() < end) continue;
      this.#ripe = this.#ripe.slice(count + 1);
      if (this.#ripe.length === 0) return;
      this.#isAnswering = true;
      clock.soon(() => {
        this.#isAnswering = false;
        this.#answerRipe();
      });
      return;
    }
    this.#ripe = [];
  }

  /** Gives up what has waited too long, and asks again what may have been lost. */
  sweep(): void {
    if (this.#batches.length === 0) return;
    const now = this.#options.clock.now();
    const { role } = this.#core.state;
    for (const batch of this.#batches) {
      const isOverdue = role !== 'leader' && now - batch.askedAt > READ_PATIENCE;
      if (batch.index === undefined && isOverdue) batch.number = 0;
    }
    const isLost = (read: Asked) => isHopeless(this.#core, read, now) || this.#core.hasQuorum === false;
    this.#batches = this.#batches.flatMap(batch => {
      // Whoever asked keeps the deadline, and says so; here what is past it is only forgotten.
      const open = batch.reads.filter(({ responder }) => responder.deadline > now);
      const reads = open.filter(read => !isLost(read));
      for (const read of open) if (isLost(read)) read.responder.answer(failed(noLeader(this.#core)));
      return reads.length > 0 ? [{ ...batch, reads }] : [];
    });
    this.#options.wake();
  }

  shutDown(): void {
    const waiting = [...this.#reads, ...this.#batches.flatMap(({ reads }) => reads), ...this.#ripe];
    this.#reads = [];
    this.#batches = [];
    this.#ripe = [];
    for (const { responder } of waiting) responder.answer(failed(shuttingDown()));
  }
}
