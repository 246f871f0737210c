import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { failure } from '../../wire/errors.ts';
import { type Fields, toMessage } from '../../wire/messages.ts';
import type { Request } from '../../wire/ops.ts';
import { failed, type Outcome, outcomeOf } from '../../wire/reply.ts';
import { checkRequest } from '../../wire/request.ts';
import type { Method } from '../../wire/schema.ts';
import type { Guest } from '../guest.ts';
import type { LineServer, Responder } from '../server.ts';
import { TIMEOUT, timedOut } from '../timeout.ts';
import type { Incoming } from './incoming.ts';
import { serviceErrorOf } from './service-error.ts';

/** One call that is answered once. It counts into the same bounds as a line. */
export class UnaryCall implements Responder {
  deadline: number;
  readonly #method: Method;
  readonly #server: LineServer;
  readonly #guest: Guest | undefined;
  readonly #done: sendUnaryData<Buffer>;
  readonly #size: number;
  #request: Request | undefined;
  #isAnswered = false;
  #untaken = 0;

  constructor(
    method: Method,
    call: ServerUnaryCall<Incoming, Buffer>,
    done: sendUnaryData<Buffer>,
    server: LineServer,
    guest: Guest | undefined,
  ) {
    this.#method = method;
    this.#server = server;
    this.#guest = guest;
    this.#done = done;
    const { size } = call.request;
    const now = server.now();
    this.deadline = now + TIMEOUT;
    // Comes at the very end, too: when the caller has been sent the whole answer, or is gone.
    call.once('cancelled', () => this.#gone());
    if (!server.received.take(size)) {
      this.#size = 0;
      this.answer(failed(failure('BUSY', 'too much is under way at this node; try again later')));
      return;
    }
    this.#size = size;
    if ('failure' in call.request) {
      this.answer(failed(call.request.failure));
      return;
    }
    try {
      const request = checkRequest(call.request.fields, server.service.stage);
      this.#request = request;
      this.deadline = now + Math.min(request.timeout ?? TIMEOUT, untilDeadline(call.getDeadline()));
      server.service.handle(request, this);
    } catch (error) {
      server.log('%s failed: %O', method.op, error);
      this.answer(outcomeOf(error));
    }
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  answer(outcome: Outcome, onSent?: () => void): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#server.received.give(this.#size);
    if (!outcome.ok) {
      this.#done(serviceErrorOf(outcome.error));
      return;
    }
    let bytes: Buffer;
    try {
      bytes = this.#encoded(outcome);
    } catch (error) {
      this.#server.log('%s: its reply has no place in the schema: %O', this.#method.op, error);
      // It is done, and only its answer cannot be told.
      this.#done(serviceErrorOf(failure('INTERNAL', `a fault in this node: ${error}`)));
      return;
    }
    this.#untaken = bytes.length;
    this.#guest?.owes(bytes.length);
    this.#done(null, bytes);
    onSent?.();
  }

  #encoded(outcome: Outcome): Buffer {
    const { ok, ...reply } = outcome as Outcome & Fields;
    const { reply: shape, definition } = this.#method;
    return definition.responseSerialize(toMessage(shape, reply));
  }

  /** Its time is up. */
  timeOut(): void {
    if (this.#request !== undefined) this.answer(timedOut(this.#request, true));
  }

  /** Nobody waits any longer: what has not begun need not. */
  #gone(): void {
    this.#guest?.owes(-this.#untaken);
    this.#untaken = 0;
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#server.received.give(this.#size);
    this.deadline = this.#server.now();
  }
}

/** Milliseconds until the deadline of a call, which is a time of day. */
function untilDeadline(deadline: Date | number): number {
  const left = Number(deadline) - Date.now();
  return Number.isFinite(left) ? Math.max(0, left) : Number.POSITIVE_INFINITY;
}
