import type { ServerWritableStream } from '@grpc/grpc-js';
import { type ErrorCode, failure } from '../../wire/errors.ts';
import { type Fields, toMessage } from '../../wire/messages.ts';
import type { Request } from '../../wire/ops.ts';
import { failed, type Outcome, outcomeOf } from '../../wire/reply.ts';
import { checkRequest } from '../../wire/request.ts';
import type { Method, Shape } from '../../wire/schema.ts';
import type { Client, Follower } from '../client.ts';
import type { Guest } from '../guest.ts';
import type { News } from '../news.ts';
import type { LineServer, Responder } from '../server.ts';
import { TIMEOUT, timedOut } from '../timeout.ts';
import type { Incoming } from './incoming.ts';
import { serviceErrorOf } from './service-error.ts';

/** A call is pushed no more while this many bytes of what it was sent are not taken. */
const MOST_UNTAKEN = 1_048_576;

/** News as bytes, made once for all who are told. */
const told = new WeakMap<News, { readonly shape: Shape; readonly bytes: Buffer }>();

/**
 * One call whose answer is a stream: a watch of its own, for as long as the call lasts, or the pieces of something
 * large. HTTP/2 takes no more of it than its reader does, and what it leaves untaken counts as a line's would.
 */
export class StreamCall implements Responder, Client {
  deadline: number;
  readonly #method: Method;
  readonly #call: ServerWritableStream<Incoming, Buffer>;
  readonly #guest: Guest | undefined;
  readonly #followers = new Set<Follower>();
  #request: Request | undefined;
  #isAnswered = false;
  #isOver = false;
  #untaken = 0;

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
      this.deadline = server.now();
      this.#over();
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
      server.log('%s failed: %O', method.op, error);
      this.answer(outcomeOf(error));
    }
  }

  get client(): Client {
    return this;
  }

  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** True when the call has ended, on either side. */
  get isOver(): boolean {
    return this.#isOver;
  }

  answer(outcome: Outcome, onSent?: () => void): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    if (this.#isOver) return;
    if (!outcome.ok) {
      this.#end(outcome.error.code, outcome.error.message, outcome.error);
      return;
    }
    const { ok, ...reply } = outcome as Outcome & Fields;
    this.#write(this.#encoded(reply));
    onSent?.();
    // A watch goes on; of everything else the reply is the last.
    if (this.#method.op !== 'watch') this.#close();
  }

  push(news: News): void {
    if (this.#isOver) return;
    const { closed } = news.fields;
    if (closed !== undefined) {
      const { code, message, ...details } = closed as { code: ErrorCode; message: string };
      this.#end(code, message, details);
      return;
    }
    const shape = this.#method.reply;
    let known = told.get(news);
    if (known?.shape !== shape) {
      known = { shape, bytes: this.#encoded(news.fields) };
      told.set(news, known);
    }
    this.#write(known.bytes);
  }

  get isFull(): boolean {
    return this.#untaken >= MOST_UNTAKEN;
  }

  get isGone(): boolean {
    return this.#isOver;
  }

  follow(follower: Follower): void {
    if (this.#isOver) follower.onGone();
    else this.#followers.add(follower);
  }

  unfollow(follower: Follower): void {
    this.#followers.delete(follower);
  }

  /** The node stops: whoever pushes has a last word. */
  shutDown(): void {
    for (const follower of [...this.#followers]) follower.onShutDown();
  }

  /** Its time is up, unless it is a stream already. */
  timeOut(): void {
    if (this.#request !== undefined) this.answer(timedOut(this.#request, true));
  }

  #encoded(fields: Readonly<Fields>): Buffer {
    return this.#method.definition.responseSerialize(toMessage(this.#method.reply, fields));
  }

  #write(bytes: Buffer): void {
    this.#untaken += bytes.length;
    this.#guest?.owes(bytes.length);
    this.#call.write(bytes, () => this.#taken(bytes.length));
  }

  #taken(bytes: number): void {
    if (this.#isOver) return;
    const wasFull = this.isFull;
    this.#untaken -= bytes;
    this.#guest?.owes(-bytes);
    if (wasFull && !this.isFull) for (const follower of [...this.#followers]) follower.onRoom();
  }

  /** Ends the call with an error, behind what was pushed before. */
  #end(code: ErrorCode, message: string, details: Record<string, unknown>): void {
    this.#over();
    this.#call.emit('error', serviceErrorOf(failure(code, message, details)));
  }

  #close(): void {
    this.#over();
    this.#call.end();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#guest?.owes(-this.#untaken);
    this.#untaken = 0;
    const followers = [...this.#followers];
    this.#followers.clear();
    for (const follower of followers) follower.onGone();
  }
}
