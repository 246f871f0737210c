import type { Clock } from '../ports/clock.ts';
import type { Transport } from '../ports/transport.ts';
import type { NodeAddress } from '../wire/address.ts';
import { failure } from '../wire/errors.ts';
import { mayChange, type Request } from '../wire/ops.ts';
import { failed, type Outcome, outcomeOf } from '../wire/reply.ts';
import type { Responder, Service } from './server.ts';

/** Asks another node to answer a request, and brings its answer back. `patience` is in milliseconds. */
export type ForwardMessage =
  | {
      readonly type: 'forward';
      readonly number: number;
      readonly patience: number;
      readonly request: Request;
    }
  | { readonly type: 'forwarded'; readonly number: number; readonly outcome: Outcome };

interface Forwarded {
  readonly to: NodeAddress;
  readonly request: Request;
  readonly responder: Responder;
}

/**
 * Any node takes any request: what only the leader can answer goes there, and the answer comes back here. An
 * answer that may be lost on the way is never reported as a definite failure (a change may have happened).
 */
export class Forwarding {
  readonly #transport: Transport<ForwardMessage>;
  readonly #service: Service;
  readonly #clock: Clock;
  readonly #open = new Map<number, Forwarded>();
  #number: number;

  /** `firstNumber`: random, so that an answer to this node's former life matches nothing in this one. */
  constructor(transport: Transport<ForwardMessage>, service: Service, clock: Clock, firstNumber: number) {
    this.#transport = transport;
    this.#service = service;
    this.#clock = clock;
    this.#number = firstNumber;
  }

  forward(request: Request, responder: Responder, to: NodeAddress): void {
    const patience = responder.deadline - this.#clock.now();
    this.#number += 1;
    const number = this.#number;
    if (this.#transport.send(to.id, { type: 'forward', number, patience, request })) {
      this.#open.set(number, { to, request, responder });
      return;
    }
    const words = `${to.id} at ${to.address} leads and cannot be reached from here; try again, or ask another node`;
    responder.answer(failed(failure('NO_LEADER', words)));
  }

  step(from: string, message: ForwardMessage): void {
    const { number } = message;
    if (message.type === 'forwarded') {
      this.#open.get(number)?.responder.answer(message.outcome);
      this.#open.delete(number);
      return;
    }
    const { request, patience } = message;
    const answer = (outcome: Outcome) =>
      void this.#transport.send(from, { type: 'forwarded', number, outcome });
    const responder: Responder = { deadline: this.#clock.now() + patience, answer };
    try {
      this.#service.handle({ ...request, forward: false }, responder);
    } catch (error) {
      answer(outcomeOf(error));
    }
  }

  /** The way to a node broke: what was sent there is as good as lost, done or not. */
  linkDown(to: string): void {
    for (const [number, { to: node, request, responder }] of this.#open) {
      if (node.id !== to) continue;
      this.#open.delete(number);
      const isChange = mayChange(request.op);
      const advice = isChange ? 'it may or may not have happened: read before you repeat it' : 'try again';
      const words = `the way to ${node.id} at ${node.address} broke while it was answering; ${advice}`;
      responder.answer(failed(failure('LEADER_LOST', words, { definite: !isChange })));
    }
  }

  /** Forgets what nobody waits for any longer. */
  sweep(): void {
    const now = this.#clock.now();
    for (const [number, { responder }] of this.#open) if (responder.deadline < now) this.#open.delete(number);
  }
}
