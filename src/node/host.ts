import type { Clock } from '../ports/clock.ts';
import type { Storage, StorageListener } from '../ports/storage.ts';
import type { Transport } from '../ports/transport.ts';
import type { Configuration } from '../raft/configuration.ts';
import type { Entry } from '../raft/entry.ts';
import type { Envelope, Message } from '../raft/messages.ts';
import type { Obstacle } from '../raft/obstacle.ts';
import type { Proposal } from '../raft/proposal.ts';
import type { ReadGrant, Ready } from '../raft/ready.ts';
import type { State } from '../raft/state.ts';
import type { Compaction, SnapshotCore } from './compaction.ts';

/** What every stage's wiring of the core offers its host; a stage that has no time yet has no ticks. */
export interface Core {
  readonly state: State;
  step(from: string, message: Message): void;
  propose(proposals: readonly Proposal[]): number;
  stored(mark: number): void;
  linkUp(peer: string): void;
  ready(): Ready;
  /** At stage 5 alone: whether the leader was answered by a majority when it last counted. Later ones that were not give up. */
  readonly hasQuorum?: boolean;
  /** From stage 6: leadership is being handed over, and nothing may be proposed meanwhile. */
  readonly isHandingOver?: boolean;
  /** From stage 5: ticks since this node last heard its leader. */
  readonly silence?: number;
  /** From stage 7. */
  readonly snapshots?: SnapshotCore;
  tick?(): void;
  read?(number: number): void;
  transfer?(to: string): void;
  /** From stage 8: why the members cannot be changed now, if they cannot. */
  readonly obstacle?: Obstacle | undefined;
  /** From stage 8: the future voters that a change of the members waits for; undefined while none waits. */
  readonly laggards?: readonly string[] | undefined;
  changeMembers?(to: Configuration, force: boolean): void;
  /** Gives up a change of the members of which nothing is in the log yet. */
  cancelChange?(): void;
}

/** What is done with what the core decides. */
export interface Machine {
  /** Before the core is asked what is ready: the last moment to propose and to ask for reads in this turn. */
  beforeReady(): void;
  apply(entry: Entry): void;
  granted(read: ReadGrant): void;
  /** After everything of a turn was applied. */
  afterTurn(): void;
}

export interface HostOptions {
  readonly core: Core;
  readonly storage: Storage;
  readonly transport: Transport<Message>;
  readonly clock: Clock;
  readonly machine: Machine;
  /** From stage 7. */
  readonly compaction?: Compaction | undefined;
  /** Milliseconds of a tick. */
  readonly tick: number;
}

/** Bytes of entries that are read back from disk for one message. */
const READ_BYTES = 262_144;

/** Answers that leave when a mark is durable. */
interface Held {
  readonly mark: number;
  readonly answers: readonly Envelope[];
}

/**
 * The turn loop. Everything that arrives is stepped into the core at once; when all that came together has been
 * taken in, one turn asks the core what is ready, sends, writes and applies. What rests on the disk (a vote, an
 * answer to entries) waits for it; what does not (entries for followers) leaves beside the leader's own write.
 */
export class Host implements StorageListener {
  readonly #core: Core;
  readonly #storage: Storage;
  readonly #transport: Transport<Message>;
  readonly #clock: Clock;
  readonly #machine: Machine;
  readonly #compaction: Compaction | undefined;
  readonly #ticker: { stop(): void };
  #isTurnDue = false;
  #isStopped = false;
  #durable = 0;
  readonly #held: Held[] = [];
  /** The highest index applied to the state machine. */
  #applied: number;

  constructor({ core, storage, transport, clock, machine, compaction, tick }: HostOptions) {
    this.#core = core;
    this.#storage = storage;
    this.#transport = transport;
    this.#clock = clock;
    this.#machine = machine;
    this.#compaction = compaction;
    this.#applied = core.state.handed;
    this.#ticker = clock.every(tick, () => this.#onTick());
    this.wake();
  }

  get applied(): number {
    return this.#applied;
  }

  onMessage(from: string, message: Message): void {
    if (this.#isStopped) return;
    this.#core.step(from, message);
    this.wake();
  }

  onDurable(mark: number): void {
    if (this.#isStopped) return;
    this.#durable = mark;
    this.#core.stored(mark);
    this.#release();
    const { role, isReady } = this.#core.state;
    if (role === 'leader' || isReady) this.wake();
  }

  onLinkUp(peer: string): void {
    this.#core.linkUp(peer);
    this.wake();
  }

  /** A snapshot has taken the place of everything up to an index. */
  restored(index: number): void {
    this.#applied = index;
  }

  /** Has a turn run soon. */
  wake(): void {
    if (this.#isTurnDue || this.#isStopped) return;
    this.#isTurnDue = true;
    this.#clock.soon(() => this.#turn());
  }

  stop(): void {
    this.#isStopped = true;
    this.#ticker.stop();
  }

  #onTick(): void {
    if (this.#isStopped) return;
    this.#core.tick?.();
    this.wake();
  }

  #turn(): void {
    this.#isTurnDue = false;
    if (this.#isStopped) return;
    this.#machine.beforeReady();
    const ready = this.#core.ready();
    this.#send(ready.messages);
    const { mark, ballot, begins, entries, commit } = ready;
    const isNews = ballot !== undefined || begins !== undefined || commit !== undefined;
    if (isNews || entries.length > 0) this.#storage.write({ mark, ballot, begins, entries, commit });
    if (ready.answers.length > 0) this.#held.push({ mark: ready.mark, answers: ready.answers });
    this.#release();
    for (const entry of ready.committed) {
      this.#machine.apply(entry);
      this.#applied = entry.index;
      this.#compaction?.applied(entry);
    }
    for (const read of ready.reads) this.#machine.granted(read);
    for (const piece of ready.pieces) this.#compaction?.take(piece);
    if (ready.pieces.length > 0) this.wake(); // for the answers
    this.#machine.afterTurn();
    this.#compaction?.afterTurn();
  }

  #release(): void {
    for (
      let first = this.#held[0];
      first !== undefined && first.mark <= this.#durable;
      first = this.#held[0]
    ) {
      this.#held.shift();
      this.#send(first.answers);
    }
  }

  #send(envelopes: readonly Envelope[]): void {
    for (const { to, message } of envelopes) {
      const filled = this.#filled(message);
      if (filled !== undefined) this.#transport.send(to, filled);
    }
  }

  /** Reads from disk the entries that the core no longer has in memory, and the pieces of snapshots that go. */
  #filled(message: Message): Message | undefined {
    if (message.type === 'install') return this.#compaction?.filled(message);
    if (message.type !== 'append' || message.stored === undefined) return message;
    const { stored, ...head } = message;
    const entries = this.#storage.read(stored.from, stored.to, READ_BYTES);
    if (entries.length === 0) throw new Error(`broken invariant: entry ${stored.from} is not on the disk`);
    return { ...head, entries };
  }
}
