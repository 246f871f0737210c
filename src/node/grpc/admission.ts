import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import { type Failure, failure } from '../../wire/errors.ts';
import { serviceErrorOf } from './service-error.ts';

/** Calls whose message is on its way, over all connections. */
const MOST_COMING = 16_384;
/** Milliseconds after which a message that has not come is slow, and how many such there may be: each may be large. */
const SLOW = 1_000;
const MOST_SLOW = 64;
/** Milliseconds that a message may take to come, as long as a line may stand still. */
const PATIENCE = 30_000;

const BUSY = failure('BUSY', 'too many requests are half-sent to this node; try again later');
const LATE = failure('TIMEOUT', `the request did not come within ${PATIENCE} ms`, { definite: true });

/** Bounds the memory and the time that calls take before their message is there, and anybody else hears of them. */
export class Admission {
  /** When each began, the oldest first. */
  readonly #coming = new Map<ServerInterceptingCallInterface, number>();
  readonly #now: () => number;
  readonly #hasRoom: (path: string, peer: string) => boolean;

  /** `hasRoom`: whether a call of the method with this path may come from this peer; if not, its connection is cut. */
  constructor(now: () => number, hasRoom: (path: string, peer: string) => boolean) {
    this.#now = now;
    this.#hasRoom = hasRoom;
  }

  readonly interceptor: ServerInterceptor = (method, call) => {
    if (!this.#hasRoom(method.path, call.getPeer())) return unheard(call);
    if (this.#coming.size >= MOST_COMING) {
      setImmediate(() => this.#end(call, BUSY));
      return unheard(call);
    }
    this.#coming.set(call, this.#now());
    return new ServerInterceptingCall(call, {
      start: next =>
        next({
          onReceiveMessage: (message, receive) => {
            this.#coming.delete(call);
            receive(message);
          },
          onCancel: () => {
            this.#coming.delete(call);
          },
        }),
    });
  };

  /** Ends what has taken too long, and of those that are slow the oldest, when they are too many. */
  sweep(now: number): void {
    let excess = -MOST_SLOW;
    for (const since of this.#coming.values()) {
      if (now - since <= SLOW) break;
      excess += 1;
    }
    for (const [call, since] of this.#coming) {
      const isLate = now - since > PATIENCE;
      if (!isLate && excess <= 0) return;
      this.#end(call, isLate ? LATE : BUSY);
      excess -= 1;
    }
  }

  #end(call: ServerInterceptingCallInterface, reason: Failure): void {
    this.#coming.delete(call);
    call.sendStatus(serviceErrorOf(reason));
  }
}

/** A call of which nothing is read. */
function unheard(call: ServerInterceptingCallInterface): ServerInterceptingCall {
  return new ServerInterceptingCall(call, { start: () => {} });
}
