import { Store } from '../kv/store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Recovered, Storage, StorageListener } from '../ports/storage.ts';
import type { Transport, TransportListener } from '../ports/transport.ts';
import { type Configuration, isConfiguration, quorumOf } from '../raft/configuration.ts';
import type { Beginning } from '../raft/state.ts';
import { DEFAULT_TIMING, type Timing } from '../raft/timing.ts';
import type { ChangeRequest, ReadRequest } from '../wire/ops.ts';
import type { Member, RaftFacts } from './about.ts';
import { Forwarding } from './forwarding.ts';
import { type Core, Host } from './host.ts';
import type { NodeMessage } from './raft-codec.ts';
import { ReplicatedStore } from './replicated-store.ts';
import type { Responder } from './server.ts';

/** Milliseconds of a tick. */
const TICK = 50;
/** Milliseconds between two looks at what has waited too long. */
const SWEEP = 100;

/** What a stage brings to the node that runs it: its number, and its wiring of the core. */
export interface RaftStage {
  readonly number: number;
  readonly makeCore: (beginning: Beginning, timing: Timing, random: () => number) => Core;
}

export interface ReplicaOptions {
  readonly id: string;
  readonly stage: RaftStage;
  readonly recovered: Recovered;
  readonly storage: Storage;
  readonly transport: Transport<NodeMessage>;
  readonly clock: Clock;
  /** Evenly distributed in [0, 1). */
  readonly random: () => number;
}

/**
 * A node without its sockets and its files: core, host, store and what stands between them and a client. It knows
 * the world only through its ports, so that a simulator can be the world.
 */
export class Replica implements TransportListener<NodeMessage>, StorageListener {
  readonly core: Core;
  readonly configuration: Configuration;
  readonly store = new Store();
  readonly #id: string;
  readonly #host: Host;
  readonly #replicated: ReplicatedStore;
  readonly #forwarding: Forwarding;
  readonly #storage: Storage;
  readonly #sweeper: { stop(): void };

  constructor({ id, stage, recovered, storage, transport, clock, random }: ReplicaOptions) {
    this.#id = id;
    this.#storage = storage;
    this.configuration = configurationIn(recovered);
    const beginning: Beginning = { ...recovered, id, quorum: quorumOf(this.configuration) };
    this.core = stage.makeCore(beginning, DEFAULT_TIMING, random);
    const firstNumber = Math.floor(random() * 2 ** 47);
    const service = { stage: stage.number, handle: this.#handleForwarded.bind(this) };
    this.#forwarding = new Forwarding(transport, service, clock, firstNumber);
    this.#replicated = new ReplicatedStore({
      store: this.store,
      core: this.core,
      forwarding: this.#forwarding,
      clock,
      addressOf: node => this.configuration.nodes[node],
      wake: () => this.#host.wake(),
      isFull: () => storage.isFull,
    });
    this.#host = new Host({
      core: this.core,
      storage,
      transport,
      clock,
      machine: this.#replicated,
      tick: TICK,
    });
    this.#sweeper = clock.every(SWEEP, () => {
      this.#replicated.sweep();
      this.#forwarding.sweep();
    });
  }

  read(request: ReadRequest, responder: Responder): void {
    this.#replicated.read(request, responder);
  }

  change(request: ChangeRequest, responder: Responder): void {
    this.#replicated.change(request, responder);
  }

  #handleForwarded(request: Parameters<Forwarding['forward']>[0], responder: Responder): void {
    if (request.op === 'set' || request.op === 'remove') this.change(request, responder);
    else if (request.op === 'get' || request.op === 'list') this.read(request, responder);
  }

  onMessage(from: string, message: NodeMessage): void {
    if (message.type === 'forward' || message.type === 'forwarded') this.#forwarding.step(from, message);
    else this.#host.onMessage(from, message);
  }

  onLinkUp(to: string): void {
    this.#host.onLinkUp(to);
  }

  onLinkDown(to: string): void {
    this.#forwarding.linkDown(to);
  }

  onDurable(mark: number): void {
    this.#host.onDurable(mark);
  }

  /** What `status` and `members` tell. */
  get members(): readonly Member[] {
    const { nodes, voters } = this.configuration;
    const { state } = this.core;
    return Object.entries(nodes).map(([id, address]): Member => {
      const member = { id, address, role: voters.includes(id) ? 'voter' : 'learner' } as const;
      if (state.role !== 'leader') return member;
      const last = state.log.last.index;
      if (id === this.#id) return { ...member, match: last, lag: 0, active: true };
      const progress = state.progress.get(id);
      const match = progress?.match ?? 0;
      return { ...member, match, lag: last - match, active: progress?.isActive ?? false };
    });
  }

  get facts(): RaftFacts {
    const { state, silence } = this.core;
    return {
      term: state.term,
      commit: state.commit,
      applied: this.#host.applied,
      log: this.#storage.extent,
      hash: this.store.hash,
      ...(silence === undefined || state.role === 'leader' ? {} : { silence: silence * TICK }),
    };
  }

  /** Answers what is under way, and turns no more. */
  stop(): void {
    this.#sweeper.stop();
    this.#replicated.shutDown();
    this.#host.stop();
  }
}

/** The configuration that a log holds. */
function configurationIn({ entries }: Recovered): Configuration {
  const command = entries.map(entry => entry.command).find(isConfiguration);
  if (command === undefined) throw new Error('broken invariant: the log holds no configuration');
  return command;
}
