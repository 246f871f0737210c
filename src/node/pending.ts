import type { Request } from '../wire/ops.ts';
import { encodeReply, type Outcome } from '../wire/reply.ts';
import type { Responder } from './server.ts';

/** Who waits for the reply to a request. */
interface Asker {
  answered(pending: Pending): void;
}

/** A request under way. Whoever carries it out calls `answer`; calls after the first do nothing. */
export class Pending implements Responder {
  readonly request: Request;
  /** When the client gives up, on the server's clock. */
  readonly deadline: number;
  /** Characters of its line. */
  readonly size: number;
  #reply: string | undefined;
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

  answer(outcome: Outcome): void {
    if (this.#reply !== undefined) return;
    this.#reply = encodeReply(this.request.id, outcome);
    this.#asker.answered(this);
  }
}
