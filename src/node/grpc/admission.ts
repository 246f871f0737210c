import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import { failure } from '../../wire/errors.ts';
import { serviceErrorOf } from './service-error.ts';

/** Calls whose message is on its way, over all connections: each may hold a message of the largest size. */
const MOST_HALF_SENT = 64;
/** Milliseconds that a message may take to come, as long as a line may stand still. */
const PATIENCE = 30_000;

/** Bounds the memory and the time that calls take before their message is there, and anybody else hears of them. */
export class Admission {
  /** When each began. */
  readonly #halfSent = new Map<ServerInterceptingCallInterface, number>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  readonly interceptor: ServerInterceptor = (_method, call) => {
    if (this.#halfSent.size >= MOST_HALF_SENT) {
      const words = 'too many long requests are half-sent to this node; try again later';
      setImmediate(() => call.sendStatus(serviceErrorOf(failure('BUSY', words))));
      return new ServerInterceptingCall(call, { start: () => {} });
    }
    this.#halfSent.set(call, this.#now());
    return new ServerInterceptingCall(call, {
      start: next =>
        next({
          onReceiveMessage: (message, receive) => {
            this.#halfSent.delete(call);
            receive(message);
          },
          onCancel: () => {
            this.#halfSent.delete(call);
          },
        }),
    });
  };

  sweep(now: number): void {
    for (const [call, since] of this.#halfSent) {
      if (now - since <= PATIENCE) return;
      this.#halfSent.delete(call);
      call.sendStatus(
        serviceErrorOf(failure('TIMEOUT', `no request came within ${PATIENCE} ms`, { definite: true })),
      );
    }
  }
}
