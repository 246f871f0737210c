import { apply } from '../kv/commands.ts';
import { answer } from '../kv/queries.ts';
import type { Store } from '../kv/store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Entry } from '../raft/entry.ts';
import type { ReadGrant } from '../raft/ready.ts';
import type { NodeAddress } from '../wire/address.ts';
import { type Failure, failure } from '../wire/errors.ts';
import type { ChangeRequest, ReadRequest } from '../wire/ops.ts';
import { failed } from '../wire/reply.ts';
import type { Forwarding } from './forwarding.ts';
import type { Core, Machine } from './host.ts';
import type { Responder } from './server.ts';

/** Milliseconds that a request waits for a leader to be known. */
const LEADER_PATIENCE = 2_000;
/** Milliseconds after which a follower asks its leader again what a read has to wait for. */
const READ_PATIENCE = 500;
/** Bytes that a leader takes on beyond what is committed. */
const MOST_UNCOMMITTED = 64 * 1_048_576;

/** A request that waits: for a leader to be known, for its turn, or for its entry to be applied. */
interface Waiting<Asked> {
  readonly request: Asked;
  readonly responder: Responder;
  readonly since: number;
}

/** A change in the log of this leader, in the term in which it was proposed. */
interface Proposed extends Waiting<ChangeRequest> {
  readonly term: number;
  readonly size: number;
}

/** Reads that were asked for together, under one number. */
interface ReadBatch {
  readonly reads: readonly Waiting<ReadRequest>[];
  /** Under which they are being asked for; a new one at every try, so that no old answer serves them. */
  number: number;
  askedAt: number;
  /** Set once granted: they may be answered when this index is applied. */
  index: number | undefined;
}

export interface ReplicatedStoreOptions {
  readonly store: Store;
  readonly core: Core;
  readonly forwarding: Forwarding;
  readonly clock: Clock;
  /** Where a node listens, by its id. */
  readonly addressOf: (id: string) => string | undefined;
  /** Has the host take a turn. */
  readonly wake: () => void;
  readonly isFull: () => boolean;
  /** Where the numbers of reads begin: elsewhere at every start, or the leader's answer to a former life would do. */
  readonly firstNumber: number;
}

/**
 * The store behind the log: changes become entries and are answered when those are applied; reads wait for the
 * index that the leader names. What this node cannot decide goes to the leader, and waits here while there is none.
 */
export class ReplicatedStore implements Machine {
  readonly #options: ReplicatedStoreOptions;
  readonly #core: Core;
  readonly #clock: Clock;
  /** Changes for this turn. */
  #changes: Waiting<ChangeRequest>[] = [];
  /** Changes that wait for a leader to be known. */
  #homeless: Waiting<ChangeRequest>[] = [];
  readonly #proposed = new Map<number, Proposed>();
  #uncommitted = 0;
  /** Reads for this turn. */
  #reads: Waiting<ReadRequest>[] = [];
  #batches: ReadBatch[] = [];
  #number: number;
  #applied: number;
  /** The term and leader of the last turn. */
  #reign = '';

  constructor(options: ReplicatedStoreOptions) {
    this.#options = options;
    this.#core = options.core;
    this.#clock = options.clock;
    this.#number = options.firstNumber;
    this.#applied = options.core.state.handed;
  }

  read(request: ReadRequest, responder: Responder): void {
    const { store } = this.#options;
    if (request.read === 'stale') {
      responder.answer(answer(store, request));
      return;
    }
    if (this.#core.read === undefined) {
      this.#readLocally(request, responder);
      return;
    }
    this.#reads.push({ request, responder, since: this.#clock.now() });
    this.#options.wake();
  }

  /** Before stage 5 a node can only tell what it holds itself, and says that it is no more than that. */
  #readLocally(request: ReadRequest, responder: Responder): void {
    if (request.read === 'linearizable') {
      const words = 'linearizable reads come with stage 5; this node can only tell what it holds itself';
      responder.answer(failed(failure('WRONG_STAGE', words, { stage: 5 })));
      return;
    }
    const outcome = answer(this.#options.store, request);
    responder.answer(outcome.ok ? { ...outcome, local: true } : outcome);
  }

  change(request: ChangeRequest, responder: Responder): void {
    this.#direct({ request, responder, since: this.#clock.now() });
  }

  /** Sends a change where it can be decided: into this leader's log, to the leader, or to wait for one. */
  #direct(waiting: Waiting<ChangeRequest>): void {
    const { request, responder } = waiting;
    const { role, leader } = this.#core.state;
    if (role === 'leader') {
      if (this.#core.isHandingOver) {
        this.#homeless.push(waiting);
        return;
      }
      const refusal = this.#refusal(request);
      if (refusal !== undefined) {
        responder.answer(failed(refusal));
        return;
      }
      this.#changes.push(waiting);
      this.#options.wake();
    } else if (request.forward === false) {
      responder.answer(failed(this.#notLeader()));
    } else if (leader === null) {
      this.#homeless.push(waiting);
    } else {
      const address = this.#options.addressOf(leader) ?? 'an unknown address';
      this.#options.forwarding.forward(request, this.#returning(waiting), { id: leader, address });
    }
  }

  /** Takes the answer to a forwarded change; where the other node does not lead (any more), the change waits here again. */
  #returning(waiting: Waiting<ChangeRequest>): Responder {
    const { responder } = waiting;
    return {
      deadline: responder.deadline,
      answer: outcome => {
        const isHomeless =
          !outcome.ok && (outcome.error.code === 'NOT_LEADER' || outcome.error.code === 'NO_LEADER');
        if (isHomeless && outcome.error.definite) this.#homeless.push(waiting);
        else responder.answer(outcome);
      },
    };
  }

  #notLeader(): Failure {
    const { leader: id } = this.#core.state;
    const leader: NodeAddress | null =
      id === null ? null : { id, address: this.#options.addressOf(id) ?? 'an unknown address' };
    const words =
      leader === null
        ? 'no leader is known here; try again'
        : `${leader.id} at ${leader.address} leads; send it there, or without "forward": false`;
    return failure('NOT_LEADER', words, { leader });
  }

  /** Why this leader takes on no change now, if it does not. */
  #refusal(request: ChangeRequest): Failure | undefined {
    if (this.#options.isFull()) {
      return failure(
        'NO_SPACE',
        "the leader's disk is full; free some space there, and it goes on by itself",
      );
    }
    if (this.#core.hasQuorum === false) {
      return failure(
        'NO_QUORUM',
        'the leader cannot reach a majority of the nodes; restart or reconnect them',
      );
    }
    if (this.#uncommitted + sizeOf(request) > MOST_UNCOMMITTED) {
      return failure('BUSY', 'the leader has as much under way as it can hold; try again in a moment');
    }
    return undefined;
  }

  beforeReady(): void {
    this.#notice();
    this.#propose();
    if (this.#reads.length > 0) {
      this.#batches.push({ reads: this.#reads, number: 0, askedAt: 0, index: undefined });
      this.#reads = [];
    }
    for (const batch of this.#batches) if (batch.number === 0) this.#ask(batch);
  }

  /** When the leader changes, whatever waited for one goes to the new one, and reads are asked for anew. */
  #notice(): void {
    const { term, leader, role } = this.#core.state;
    const reign = `${term} ${leader} ${role === 'leader' && this.#core.isHandingOver !== true}`;
    if (reign === this.#reign) return;
    this.#reign = reign;
    for (const batch of this.#batches) if (batch.index === undefined) batch.number = 0;
    if (leader === null) return;
    const homeless = this.#homeless;
    this.#homeless = [];
    for (const waiting of homeless) this.#direct(waiting);
  }

  #propose(): void {
    const changes = this.#changes;
    if (changes.length === 0) return;
    this.#changes = [];
    const { state } = this.#core;
    if (state.role !== 'leader' || this.#core.isHandingOver) {
      for (const waiting of changes) this.#direct(waiting);
      return;
    }
    const proposals = changes.map(({ request }) => ({ command: commandOf(request), size: sizeOf(request) }));
    let index = this.#core.propose(proposals);
    for (const waiting of changes) {
      this.#forsake(index, 'another leader came in between');
      const size = sizeOf(waiting.request);
      this.#proposed.set(index, { ...waiting, term: state.term, size });
      this.#uncommitted += size;
      index += 1;
    }
  }

  #ask(batch: ReadBatch): void {
    const { leader } = this.#core.state;
    if (leader === null) return;
    this.#number += 1;
    batch.number = this.#number;
    batch.askedAt = this.#clock.now();
    this.#core.read?.(batch.number);
  }

  apply({ index, term, command }: Entry): void {
    this.#applied = index;
    const outcome = isChange(command) ? apply(this.#options.store, command) : undefined;
    const proposed = this.#proposed.get(index);
    if (proposed === undefined) return;
    this.#forget(index, proposed);
    if (proposed.term === term && outcome !== undefined) proposed.responder.answer(outcome);
    else {
      const words = 'another leader came first, and this was not done; try again';
      proposed.responder.answer(failed(failure('NOT_LEADER', words, { leader: null })));
    }
  }

  #forget(index: number, { size }: Proposed): void {
    this.#proposed.delete(index);
    this.#uncommitted -= size;
  }

  granted({ number, index }: ReadGrant): void {
    const batch = this.#batches.find(asked => asked.number === number);
    if (batch !== undefined) batch.index = index;
  }

  afterTurn(): void {
    const isRipe = ({ index }: ReadBatch) => index !== undefined && index <= this.#applied;
    if (!this.#batches.some(isRipe)) return;
    const ripe = this.#batches.filter(isRipe);
    this.#batches = this.#batches.filter(batch => !isRipe(batch));
    for (const { reads } of ripe) {
      for (const { request, responder } of reads) responder.answer(answer(this.#options.store, request));
    }
  }

  /** Gives up what has waited too long, and asks again what may have been lost. Called every so often. */
  sweep(): void {
    const now = this.#clock.now();
    this.#sweepHomeless(now);
    this.#sweepProposed(now);
    const { leader, role } = this.#core.state;
    for (const batch of this.#batches) {
      if (batch.index === undefined && role !== 'leader' && now - batch.askedAt > READ_PATIENCE)
        batch.number = 0;
    }
    if (this.#batches.length === 0) return;
    const isLate = ({ since, responder }: Waiting<ReadRequest>) =>
      responder.deadline <= now ||
      (leader === null && now - since > LEADER_PATIENCE) ||
      this.#core.hasQuorum === false;
    this.#batches = this.#batches.flatMap(batch => {
      const reads = batch.reads.filter(read => !isLate(read));
      for (const read of batch.reads) if (isLate(read)) read.responder.answer(failed(this.#noLeader()));
      return reads.length > 0 ? [{ ...batch, reads }] : [];
    });
    this.#options.wake();
  }

  #sweepHomeless(now: number): void {
    const homeless = this.#homeless;
    if (homeless.length === 0) return;
    this.#homeless = [];
    for (const waiting of homeless) {
      if (waiting.responder.deadline <= now) continue;
      const { leader, role } = this.#core.state;
      if (leader !== null && !(role === 'leader' && this.#core.isHandingOver)) this.#direct(waiting);
      else if (now - waiting.since > LEADER_PATIENCE) waiting.responder.answer(failed(this.#noLeader()));
      else this.#homeless.push(waiting);
    }
  }

  /** What this node proposed and can no longer decide: done or not, nobody here will ever know. */
  #sweepProposed(now: number): void {
    const { state, hasQuorum } = this.#core;
    if (state.role === 'leader' && hasQuorum !== false) return;
    for (const [index, proposed] of this.#proposed) {
      if (now - proposed.since < LEADER_PATIENCE && hasQuorum !== false) continue;
      if (hasQuorum === false) this.#forsake(index, 'the leader lost its majority', 'NO_QUORUM');
      else this.#forsake(index, 'this node lost the lead');
    }
  }

  /** Gives up what was proposed at an index, if anything was: others may have it, and commit it yet. */
  #forsake(index: number, why: string, code: 'NO_QUORUM' | 'LEADER_LOST' = 'LEADER_LOST'): void {
    const proposed = this.#proposed.get(index);
    if (proposed === undefined) return;
    this.#forget(index, proposed);
    const words = `${why} before this was committed; it may or may not happen: read before you repeat it`;
    proposed.responder.answer(failed(failure(code, words, { definite: false })));
  }

  #noLeader(): Failure {
    if (this.#core.hasQuorum === false) {
      return failure(
        'NO_QUORUM',
        'the leader cannot reach a majority of the nodes; restart or reconnect them',
      );
    }
    return failure(
      'NO_LEADER',
      'no leader is known here: a majority of the nodes is down or out of reach; try again',
    );
  }

  /** This node stops: what is under way here cannot be answered any more. */
  shutDown(): void {
    const words = 'this node is shutting down; ask another';
    for (const { responder } of [
      ...this.#changes,
      ...this.#homeless,
      ...this.#batches.flatMap(({ reads }) => reads),
    ]) {
      responder.answer(failed(failure('SHUTTING_DOWN', words)));
    }
    this.#changes = [];
    this.#homeless = [];
    this.#batches = [];
  }
}

/** What a change leaves in the log: all of the request but what concerns only its way here. */
function commandOf({ id, timeout, forward, ...command }: ChangeRequest): unknown {
  return command;
}

function isChange(command: unknown): command is ChangeRequest {
  if (typeof command !== 'object' || command === null || !('op' in command)) return false;
  return command.op === 'set' || command.op === 'remove';
}

/** About how many bytes a change takes in the log. */
function sizeOf(request: ChangeRequest): number {
  const conditions = request.if === undefined ? 0 : request.if.length * 100;
  return 64 + conditions + (request.op === 'set' ? request.key.length + request.value.length : 0);
}
