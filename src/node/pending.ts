import type { Request } from '../wire/ops.ts';
import { encodeReply, type Outcome } from '../wire/reply.ts';
import type { Client } from './client.ts';
import type { Responder } from './server.ts';

/** Who waits for the reply to a request. */
interface Asker extends Client {
  answered(pending: Pending): void;
}

/** A request under way. Whoever carries it out calls `answer`; calls after the first do nothing. */
export class Pending implements Responder {
  readonly request: Request;
  /** When the client gives up, on the server's clock. */
  readonly deadline: number;
  /** Characters of its line. */
  readonly size: number;
  /** For `PendingSet`: its place there, -1 when it is in none. */
  place = -1;
  #reply: string | undefined;
  #onSent: (() => void) | undefined;
  readonly #asker: Asker;

  constructor(asker: Asker, request: Request, size: number, deadline: number) {
    this.#asker = asker;
    this.request = request;
    this.size = size;
    this.deadline = deadline;
  }

  /** The reply line, once there is one. */
  get reply(): string | undefined {
    return this.#reply;
  }

  get client(): Client {
    return this.#asker;
  }

  answer(outcome: Outcome, onSent?: () => void): void {
    if (this.#reply !== undefined) return;
    this.#reply = encodeReply(this.request.id, outcome);
    this.#onSent = onSent;
    this.#asker.answered(this);
  }

  /** For the asker: the reply is on its way. */
  sent(): void {
    this.#onSent?.();
  }
}

/**
 * Requests under way, in no order. Each knows its place, and the last takes the place of one that goes: a `Set` under
 * such a load makes itself anew all the time, and leaves behind what only a full collection of garbage can free.
 */
export class PendingSet {
  readonly #items: Pending[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(pending: Pending): void {
    pending.place = this.#items.length;
    this.#items.push(pending);
  }

  delete(pending: Pending): void {
    if (pending.place === -1) return;
    const last = this.#items.pop();
    if (last !== undefined && last !== pending) {
      last.place = pending.place;
      this.#items[last.place] = last;
    }
    pending.place = -1;
  }

  [Symbol.iterator](): Iterator<Pending> {
    return this.#items[Symbol.iterator]();
  }
}
