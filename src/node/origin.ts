import { configurationOf } from '../raft/configuration.ts';
import { hexOf } from './checksum.ts';
import type { Core } from './host.ts';

export interface OriginOptions {
  readonly core: Core;
  /** Evenly distributed in [0, 1). */
  readonly random: () => number;
  /** Has the host take a turn. */
  readonly wake: () => void;
}

/**
 * Where a cluster comes from. Its id is made of the list of its first nodes, so that each of them knows it by itself;
 * but whoever begins anew with the same list has the same id, and a node that was left over would be taken for one of
 * the new cluster's, with a log that is another. So the first leader gives the cluster a random mark, in an entry of
 * its log that changes nothing else, and every configuration from then on has it. Two nodes that know of different
 * ones have nothing to say to each other.
 */
export class Origin {
  readonly #options: OriginOptions;

  constructor(options: OriginOptions) {
    this.#options = options;
  }

  /** The mark, once nothing can take it back. */
  get mark(): string | undefined {
    return this.#options.core.state.settledConfiguration.origin;
  }

  /** It is in the log of this leader, and yet to be committed. */
  get isUnderWay(): boolean {
    const { state, obstacle } = this.#options.core;
    return obstacle === 'change' && state.configuration.origin !== undefined && this.mark === undefined;
  }

  /** At a leader that may change the members: gives the cluster its mark, if it has none. Called every so often. */
  check(): void {
    const { core, wake } = this.#options;
    const { configuration } = core.state;
    if (configuration.origin !== undefined || core.changeMembers === undefined) return;
    if (core.obstacle !== undefined) return;
    // A node that is away knows the mark that there was, and must find it again.
    const origin = core.state.origin ?? this.#digits + this.#digits;
    core.changeMembers(configurationOf({ ...configuration, origin }), false);
    wake();
  }

  /** Eight random hex digits. */
  get #digits(): string {
    return hexOf(Math.floor(this.#options.random() * 2 ** 32));
  }
}
