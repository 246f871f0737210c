import { bestSuccessor } from '../raft/progress.ts';
import { failure } from '../wire/errors.ts';
import type { RequestOf } from '../wire/ops.ts';
import { failed } from '../wire/reply.ts';
import type { Core } from './host.ts';
import type { Responder } from './server.ts';

interface Transfer {
  readonly to: string;
  readonly responder: Responder;
}

export interface TransfersOptions {
  readonly core: Core;
  readonly addressOf: (id: string) => string | undefined;
  readonly rev: () => number;
  readonly wake: () => void;
}

/** Handing leadership over on request: asks the core, and tells who asked what came of it. */
export class Transfers {
  readonly #options: TransfersOptions;
  #open: Transfer | undefined;

  constructor(options: TransfersOptions) {
    this.#options = options;
  }

  /** At the leader alone. */
  transfer({ to: wanted }: RequestOf<'transfer-leader'>, responder: Responder): void {
    const { core, addressOf, wake } = this.#options;
    const { id, quorum } = core.state;
    const to = wanted ?? this.#best();
    if (to === undefined || !quorum.has(to)) {
      const voters = quorum.voters.join(', ');
      const words =
        to === undefined ? 'there is no other node to lead' : `${to} is not one of the voters, ${voters}`;
      responder.answer(failed(failure('UNKNOWN_NODE', words)));
    } else if (to === id) {
      responder.answer(this.#leads(to));
    } else if (this.#open !== undefined) {
      const words = `leadership is being handed to ${this.#open.to} already (${addressOf(this.#open.to)}); try again`;
      responder.answer(failed(failure('CHANGE_IN_PROGRESS', words)));
    } else {
      this.#open = { to, responder };
      core.transfer?.(to);
      wake();
    }
  }

  /** Begins to hand over to the best voter of those that are fit, for nobody in particular; false when there is none. */
  resign(isFit: (id: string) => boolean): boolean {
    const to = this.#best(isFit);
    if (to === undefined) return false;
    this.#options.core.transfer?.(to);
    this.#options.wake();
    return true;
  }

  /** The best of the other voters, or of those that are fit. */
  #best(isFit: (id: string) => boolean = () => true): string | undefined {
    const { progress, quorum } = this.#options.core.state;
    return bestSuccessor(progress, id => quorum.has(id) && isFit(id));
  }

  #leads(id: string) {
    const { addressOf, rev } = this.#options;
    return { ok: true, rev: rev(), leader: { id, address: addressOf(id) ?? null } } as const;
  }

  /** Called every so often: whether the successor leads now, or was given up. */
  check(): void {
    const open = this.#open;
    if (open === undefined) return;
    const { role, leader } = this.#options.core.state;
    const isUndecided = role === 'leader' ? this.#options.core.isHandingOver === true : leader === null;
    if (isUndecided) return;
    this.#open = undefined;
    if (leader === open.to) open.responder.answer(this.#leads(open.to));
    else {
      const words = `${open.to} did not take over within an election timeout; ${leader} leads: see its status, try again`;
      open.responder.answer(failed(failure('TIMEOUT', words)));
    }
  }
}
