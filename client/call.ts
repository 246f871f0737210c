import { LIMITS } from '../src/wire/limits.ts';
import { mayChange, OPS, type OpName } from '../src/wire/ops.ts';
import type { Success } from '../src/wire/reply.ts';
import { isLongerThan } from '../src/wire/text.ts';
import { type ClientError, localError } from './client-error.ts';

/** The bytes that `id`, `op` and `timeout` add to a line at most, beside the name of the op. */
const HEADER = 64;
/** Fields that the client itself gives to every request. */
const OWN_FIELDS = ['id', 'op', 'timeout'];

/** The body of a request's line: its fields as JSON, without the opening brace. */
export function bodyOf(op: string, fields: Readonly<Record<string, unknown>>): string {
  for (const own of OWN_FIELDS) {
    if (fields[own] !== undefined) {
      throw localError('BAD_REQUEST', `"${own}" is not a field to give: the client fills it in`, { op });
    }
  }
  const json = JSON.stringify(fields);
  if (isLongerThan(json, LIMITS.line - HEADER - op.length)) {
    const words = `the request is longer than a line may be (${LIMITS.line} bytes); split it up`;
    throw localError('LINE_TOO_LONG', words, { op }, { limit: LIMITS.line });
  }
  return json === '{}' ? '}' : `,${json.slice(1)}`;
}

/** One request from the moment it is made until its promise is settled; it may be sent more than once. */
export class Call {
  readonly op: string;
  readonly #isSafe: boolean;
  /** On the clock of `performance.now`. */
  readonly deadline: number;
  /** What the caller gave as its time, in milliseconds. */
  readonly timeout: number;
  readonly #body: string;
  readonly #wantsLine: boolean;
  readonly #resolve: (value: Success | string) => void;
  readonly #reject: (error: ClientError) => void;
  /** The id of its latest attempt. Each attempt has its own, so that a late reply to one never answers the next. */
  id = 0;
  /** How often it was sent. */
  attempts = 0;
  sentAt = 0;
  /** When it may be sent again, after an answer that says to come back later. */
  notBefore = 0;
  /** The last such answer: what to report when the deadline comes first. */
  lastError: ClientError | undefined;
  #isSettled = false;
  #onSettled: (() => void) | undefined;

  constructor(
    request: { op: string; body: string; timeout: number; wantsLine: boolean; now: number },
    resolve: (value: Success | string) => void,
    reject: (error: ClientError) => void,
  ) {
    this.op = request.op;
    // An operation that this version does not know may change something, so it counts as a change.
    this.#isSafe = Object.hasOwn(OPS, request.op) && !mayChange(request.op as OpName);
    this.timeout = request.timeout;
    this.deadline = request.now + request.timeout;
    this.#body = request.body;
    this.#wantsLine = request.wantsLine;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Whether doing it twice does no more than doing it once. */
  get isSafe(): boolean {
    return this.#isSafe;
  }

  /** Calls back once it is settled. */
  onSettled(callback: () => void): void {
    this.#onSettled = callback;
  }

  /** The line for its next attempt; the node is told the time that is left. */
  line(id: number, now: number): string {
    this.id = id;
    this.attempts += 1;
    this.sentAt = now;
    const left = Math.max(1, Math.ceil(this.deadline - now));
    return `{"id":${id},"op":${JSON.stringify(this.op)},"timeout":${left}${this.#body}\n`;
  }

  succeed(reply: Success, line: string): void {
    this.#settle();
    this.#resolve(this.#wantsLine ? line : reply);
  }

  fail(error: ClientError): void {
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.#isSettled = true;
    this.#onSettled?.();
  }
}
