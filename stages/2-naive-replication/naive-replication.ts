import { apply } from '../../src/kv/commands.ts';
import { conflict } from '../../src/kv/conditions.ts';
import type { Store } from '../../src/kv/store.ts';
import { failure } from '../../src/wire/errors.ts';
import type { KeyChange } from '../../src/wire/ops.ts';
import { failed, type Outcome } from '../../src/wire/reply.ts';

/** The leader's change for a follower's map, and the follower's word that it is written there. */
export type NaiveMessage =
  | { readonly type: 'replicate'; readonly number: number; readonly command: KeyChange }
  | { readonly type: 'replicated'; readonly number: number };

export interface NaiveOptions {
  readonly store: Store;
  /** The other nodes, where this one leads; none at a follower. */
  readonly followers: readonly string[];
  /** False when it is known at once that the message will not arrive. */
  readonly send: (to: string, message: NaiveMessage) => boolean;
}

/** A change on its way: who has written it, who cannot. */
interface Proposal {
  readonly command: KeyChange;
  readonly answer: (outcome: Outcome) => void;
  readonly written: Set<string>;
  readonly missing: Set<string>;
}

/**
 * Replication as one would first think of it: the leader sends each change to every follower, and once a majority
 * of the nodes has it (the leader, which will write it then, is one of them) writes it to its own map and
 * answers. It is unsafe, and each of its faults is a chapter to come:
 *
 * - A change that fails is not taken back where it has already been written.
 * - A follower that was away, or that has lost its memory, is never told what it missed.
 * - Changes have no order of their own: nothing makes two nodes that once differ agree again, and a condition that
 *   the leader has checked may no longer hold when the answers are in.
 */
export class NaiveReplication {
  readonly #store: Store;
  readonly #followers: readonly string[];
  readonly #send: NaiveOptions['send'];
  readonly #proposals = new Map<number, Proposal>();
  #number = 0;

  constructor({ store, followers, send }: NaiveOptions) {
    this.#store = store;
    this.#followers = followers;
    this.#send = send;
  }

  /** At the leader: takes a change, and gives back its number for `giveUp`; none when it is answered already. */
  propose(command: KeyChange, answer: (outcome: Outcome) => void): number | undefined {
    const conflicting = conflict(this.#store, command.if, command.key);
    if (conflicting) {
      answer(failed(conflicting));
      return undefined;
    }
    const { if: checked, ...unconditional } = command;
    this.#number += 1;
    const number = this.#number;
    const proposal = {
      command: unconditional,
      answer,
      written: new Set<string>(),
      missing: new Set<string>(),
    };
    this.#proposals.set(number, proposal);
    for (const follower of this.#followers) {
      if (!this.#send(follower, { type: 'replicate', number, command: unconditional })) {
        proposal.missing.add(follower);
      }
    }
    this.#decide(number, proposal);
    return this.#proposals.has(number) ? number : undefined;
  }

  step(from: string, message: NaiveMessage): void {
    switch (message.type) {
      case 'replicate':
        apply(this.#store, message.command);
        this.#send(from, { type: 'replicated', number: message.number });
        return;
      case 'replicated': {
        const proposal = this.#proposals.get(message.number);
        if (proposal === undefined) return;
        proposal.written.add(from);
        this.#decide(message.number, proposal);
      }
    }
  }

  /** A follower cannot be reached any more: it will not answer what it was sent. */
  lose(follower: string): void {
    for (const [number, proposal] of this.#proposals) {
      if (proposal.written.has(follower)) continue;
      proposal.missing.add(follower);
      this.#decide(number, proposal);
    }
  }

  /** The time for a change is up. */
  giveUp(number: number): void {
    const proposal = this.#proposals.get(number);
    if (proposal !== undefined) this.#fail(number, proposal);
  }

  #decide(number: number, proposal: Proposal): void {
    const nodes = this.#followers.length + 1;
    const majority = Math.floor(nodes / 2) + 1;
    if (proposal.written.size + 1 >= majority) {
      this.#proposals.delete(number);
      proposal.answer(apply(this.#store, proposal.command));
    } else if (nodes - proposal.missing.size < majority) {
      this.#fail(number, proposal);
    }
  }

  #fail(number: number, { written, answer }: Proposal): void {
    this.#proposals.delete(number);
    const nodes = this.#followers.length + 1;
    const count = written.size + 1;
    const kept = written.size === 0 ? 'a follower may keep it' : `${[...written].join(', ')} will keep it`;
    const words = `${count} of ${nodes} nodes is no majority, and nothing is taken back: ${kept}; restart what is down`;
    answer(failed(failure('NO_QUORUM', words, { definite: false })));
  }
}
