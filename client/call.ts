import { LIMITS } from '../src/wire/limits.ts';
import { mayChange, OPS, type OpName } from '../src/wire/ops.ts';
import type { Success } from '../src/wire/reply.ts';
import { isLongerThan } from '../src/wire/text.ts';
import { type ClientError, localError } from './client-error.ts';

/** The bytes that `id`, `op`, `timeout`, `session` and `seq` add to a line at most, beside the name of the op. */
const HEADER = 128;

/** What the name of an operation tells of its requests. */
interface Nature {
  /** The name as it stands in a line. */
  readonly quoted: string;
  /** Whether doing it twice does no more than doing it once. */
  readonly isSafe: boolean;
  /** Whether the client's session may make it happen once. */
  readonly isNumberable: boolean;
}

const NATURES: ReadonlyMap<string, Nature> = new Map(
  (Object.keys(OPS) as OpName[]).map(op => {
    // A session that nobody uses does no harm: it ends by itself.
    const isSafe = op === 'session' || !mayChange(op);
    const isNumberable = op !== 'session' && Object.hasOwn(OPS[op].optional, 'seq');
    return [op, { quoted: JSON.stringify(op), isSafe, isNumberable }];
  }),
);

/** An operation that this version does not know may change something, so it counts as a change. */
function natureOf(op: string): Nature {
  return NATURES.get(op) ?? { quoted: JSON.stringify(op), isSafe: false, isNumberable: false };
}

/** The fields of one operation, as the protocol has them. Those that are undefined are left out. */
export type Fields = Readonly<Record<string, unknown>>;

/** The body of a request's line: its fields as JSON, without the opening brace. */
function bodyOf(op: string, fields: Fields): string {
  if (fields.id !== undefined || fields.op !== undefined || fields.timeout !== undefined) {
    const own = ['id', 'op', 'timeout'].find(name => fields[name] !== undefined);
    throw localError('BAD_REQUEST', `"${own}" is not a field to give: the client fills it in`, { op });
  }
  const json = JSON.stringify(fields);
  if (isLongerThan(json, LIMITS.line - HEADER - op.length)) {
    const words = `the request is longer than a line may be (${LIMITS.line} bytes); split it up`;
    throw localError('LINE_TOO_LONG', words, { op }, { limit: LIMITS.line });
  }
  return json === '{}' ? '}' : `,${json.slice(1)}`;
}

/** What makes a change happen once however often it is sent (thesis §6.3). */
export interface Once {
  readonly session: number;
  readonly seq: number;
}

/** What is asked for, and how long it may take. */
export interface CallRequest {
  readonly op: string;
  readonly fields: Fields;
  /** Milliseconds. */
  readonly timeout: number;
  /** The reply line as it came is wanted, not what it says. */
  readonly wantsLine?: boolean;
  /** The client asks by itself. */
  readonly isOwn?: boolean;
}

/** One request from the moment it is made until its promise is settled; it may be sent more than once. */
export class Call {
  readonly op: string;
  readonly isOwn: boolean;
  readonly #nature: Nature;
  /** Whether the client's session may make it happen once. */
  readonly takesSession: boolean;
  /** The caller has a session of its own, and numbered the change itself. */
  readonly #hasOwnSession: boolean;
  /** On the clock of `performance.now`. */
  readonly deadline: number;
  /** What the caller gave as its time, in milliseconds. */
  readonly timeout: number;
  readonly fields: Fields;
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
  /** Its number in the client's session, once it has one. */
  once: Once | undefined;
  /** The node that was last sent it and did not say what became of it: from then on it may have happened. */
  unansweredBy: string | undefined;
  #isSettled = false;
  #onSettled: (() => void) | undefined;

  /** Throws BAD_REQUEST or LINE_TOO_LONG for what no node would read. */
  constructor(
    { op, fields, timeout, wantsLine = false, isOwn = false }: CallRequest,
    resolve: (value: Success | string) => void,
    reject: (error: ClientError) => void,
  ) {
    if (!Number.isSafeInteger(timeout) || timeout < 1) {
      throw localError('BAD_REQUEST', '"timeout" must be a positive integer (milliseconds)', { op });
    }
    this.op = op;
    this.isOwn = isOwn;
    this.#nature = natureOf(op);
    const isNumbered = fields.session !== undefined || fields.seq !== undefined;
    this.takesSession = !isNumbered && this.#nature.isNumberable;
    this.#hasOwnSession = fields.session !== undefined && fields.seq !== undefined;
    this.timeout = timeout;
    this.deadline = performance.now() + timeout;
    this.fields = fields;
    this.#body = bodyOf(op, fields);
    this.#wantsLine = wantsLine;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Whether doing it twice does no more than doing it once. */
  get isSafe(): boolean {
    return this.#nature.isSafe;
  }

  /** Whether it may be sent again although an earlier attempt may have been carried out. */
  get isRepeatable(): boolean {
    return this.isSafe || this.once !== undefined || this.#hasOwnSession;
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
    const { once } = this;
    const number = once === undefined ? '' : `,"session":${once.session},"seq":${once.seq}`;
    return `{"id":${id},"op":${this.#nature.quoted},"timeout":${left}${number}${this.#body}\n`;
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
