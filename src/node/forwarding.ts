import type { Clock } from '../ports/clock.ts';
import type { Transport } from '../ports/transport.ts';
import type { NodeAddress } from '../wire/address.ts';
import { failure, UNKNOWN_OUTCOME } from '../wire/errors.ts';
import { mayChange, type OpName, type Request } from '../wire/ops.ts';
import { failed, type Outcome, outcomeOf } from '../wire/reply.ts';
import { checkRequest } from '../wire/request.ts';
import type { Responder, Service } from './server.ts';

/**
 * Asks another node to answer a request, and brings its answer back: `op` says what it answers, to a transport that
 * has a type for each. `patience` is in milliseconds.
 */
export type ForwardMessage =
  | {
      readonly type: 'forward';
      readonly number: number;
      readonly patience: number;
      readonly request: Request;
    }
  | { readonly type: 'forwarded'; readonly number: number; readonly op: OpName; readonly outcome: Outcome };

/** Whether what claims to be such a message has its parts; what the request holds is checked when it is handled. */
export function isForwardMessage(message: Readonly<Record<string, unknown>>): message is ForwardMessage {
  const { type, number, patience, request, outcome } = message;
  if (!Number.isSafeInteger(number)) return false;
  if (type === 'forward') return Number.isFinite(patience) && isObject(request);
  return type === 'forwarded' && isObject(outcome) && 'ok' in outcome && typeof outcome.ok === 'boolean';
}

function isObject(input: unknown): input is object {
  return typeof input === 'object' && input !== null && !Array.isArray(input);
}

/**
 * Milliseconds that a node which was asked as the leader, and leads no more, has to answer: one that can be reached
 * knows at once. One that was cut off may never hear the question, over a connection that looks open.
 */
const DEPOSED_PATIENCE = 1_000;

interface Forwarded {
  readonly to: NodeAddress;
  readonly request: Request;
  readonly responder: Responder;
  /** Since when another node leads, or none, as far as is known here. */
  deposedAt: number | undefined;
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
  /** What other nodes have asked here, and were not answered. */
  readonly #owed = new Set<Responder>();
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
    const { id, ...asked } = request;
    if (this.#transport.send(to.id, { type: 'forward', number, patience, request: asked as Request })) {
      this.#open.set(number, { to, request, responder, deposedAt: undefined });
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
    const answer = (outcome: Outcome) => {
      this.#owed.delete(responder);
      this.#transport.send(from, { type: 'forwarded', number, op: request.op, outcome });
    };
    const responder: Responder = { deadline: this.#clock.now() + patience, answer };
    this.#owed.add(responder);
    try {
      // What another node has checked is checked again: one bad change in the log would stop every replica.
      const checked = checkRequest({ ...request, forward: false }, this.#service.stage);
      this.#service.handle(checked, responder);
    } catch (error) {
      answer(outcomeOf(error));
    }
  }

  /** True while another node waits for an answer that may still come. */
  get isOwing(): boolean {
    const now = this.#clock.now();
    for (const { deadline } of this.#owed) if (deadline > now) return true;
    return false;
  }

  /** The way to a node broke: what was sent there is as good as lost, done or not. */
  linkDown(to: string): void {
    for (const [number, { to: node }] of this.#open) {
      if (node.id === to)
        this.#lose(number, `the way to ${node.id} at ${node.address} broke while it was answering`);
    }
  }

  /** This node stops, and will not hear the answers. */
  shutDown(): void {
    for (const [number, { to }] of this.#open)
      this.#lose(number, `this node shut down while ${to.id} was answering`);
  }

  #lose(number: number, why: string): void {
    const lost = this.#open.get(number);
    if (lost === undefined) return;
    this.#open.delete(number);
    const isChange = mayChange(lost.request.op);
    const advice = isChange ? UNKNOWN_OUTCOME : 'try again';
    lost.responder.answer(failed(failure('LEADER_LOST', `${why}; ${advice}`, { definite: !isChange })));
  }

  /** Gives up what went to a node that leads no more, and forgets what nobody waits for any longer. */
  sweep(leader: string | null): void {
    const now = this.#clock.now();
    for (const [number, forwarded] of this.#open) {
      const { to, responder } = forwarded;
      forwarded.deposedAt = to.id === leader ? undefined : (forwarded.deposedAt ?? now);
      if (responder.deadline < now) this.#open.delete(number);
      else if (forwarded.deposedAt !== undefined && now - forwarded.deposedAt >= DEPOSED_PATIENCE)
        this.#lose(number, `${to.id} at ${to.address} leads no more, and has not answered`);
    }
    for (const responder of this.#owed) if (responder.deadline < now) this.#owed.delete(responder);
  }
}
