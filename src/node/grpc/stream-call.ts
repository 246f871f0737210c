import type { ServerWritableStream } from '@grpc/grpc-js';
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

/** One call whose answer is a stream. */
export class StreamCall implements Responder {
  readonly deadline: number;
  readonly #method: Method;
  readonly #call: ServerWritableStream<Incoming, Buffer>;
  readonly #guest: Guest | undefined;
  #request: Request | undefined;
  #isAnswered = false;
  #isGone = false;

  constructor(
    method: Method,
    call: ServerWritableStream<Incoming, Buffer>,
    server: LineServer,
    guest: Guest | undefined,
  ) {
    this.#method = method;
    this.#call = call;
    this.#guest = guest;
    this.deadline = server.now() + TIMEOUT;
    call.once('cancelled', () => {
      this.#isGone = true;
    });
    if ('failure' in call.request) {
      this.answer(failed(call.request.failure));
      return;
    }
    try {
      const request = checkRequest(call.request.fields, server.service.stage);
      this.#request = request;
      this.deadline = server.now() + (request.timeout ?? TIMEOUT);
      server.service.handle(request, this);
    } catch (error) {
      this.answer(outcomeOf(error));
    }
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  answer(outcome: Outcome): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    if (this.#isGone) return;
    if (!outcome.ok) {
      this.#call.emit('error', serviceErrorOf(outcome.error));
      return;
    }
    this.#write(outcome);
  }

  #write(outcome: Outcome): void {
    const { ok, ...reply } = outcome as Outcome & Fields;
    const { reply: shape, definition } = this.#method;
    const bytes = definition.responseSerialize(toMessage(shape, reply));
    this.#guest?.owes(bytes.length);
    this.#call.write(bytes, () => this.#guest?.owes(-bytes.length));
  }

  /** Its time is up. */
  timeOut(): void {
    if (this.#request !== undefined) this.answer(timedOut(this.#request, true));
    else this.answer(failed(failure('TIMEOUT', 'no request came in time')));
  }
}
