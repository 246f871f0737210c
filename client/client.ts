import { RaftlineError } from '../src/wire/errors.ts';
import type { Condition, ReadMode } from '../src/wire/fields.ts';
import type { Success } from '../src/wire/reply.ts';
import { Call, type Fields } from './call.ts';
import { ClientError } from './client-error.ts';
import { Exchange } from './exchange.ts';
import type {
  Entry,
  GetReply,
  HelloReply,
  HelpReply,
  PageReply,
  PingReply,
  RemoveReply,
  SetReply,
  StatusReply,
} from './results.ts';
import { parseAddresses } from './roster.ts';

export type { ErrorCode, Failure } from '../src/wire/errors.ts';
export type * from './results.ts';
export type { Condition, Fields, ReadMode, Success };
export { ClientError, RaftlineError };

/** Milliseconds that a request may take when nobody says. */
const TIMEOUT = 5_000;

export interface ClientOptions {
  /** Milliseconds that each request may take, unless it says itself; 5,000 by default. */
  readonly timeout?: number;
  /**
   * When no node can be reached: true fails a request once every address was tried in turn; false, the default, keeps
   * trying until the request's deadline, which rides out a restart.
   */
  readonly failFast?: boolean;
  /**
   * From stage 6 on, changes are numbered in a session, so that one whose answer was lost is asked for again, and still
   * happens once. The first change costs one round more for it; reads cost nothing. `ttl` is how many seconds the
   * cluster remembers it while it is not used, 3,600 by default. False: no session; such a change is never repeated.
   */
  readonly session?: boolean | { readonly ttl: number };
}

export interface CallOptions {
  /** Milliseconds until the request fails with TIMEOUT, tries again included; the client's own by default. */
  readonly timeout?: number;
  /** Ends the request at once when it is raised. What was sent by then may still happen. */
  readonly signal?: AbortSignal;
}

export interface ReadOptions extends CallOptions {
  /** "linearizable", the default, or "stale": the node's own state, at once, even without a leader. */
  readonly read?: ReadMode;
}

export interface ChangeOptions extends CallOptions {
  /** One condition or several, all of which must hold, or the change is refused with CONFLICT. */
  readonly if?: Condition | readonly Condition[];
}

export interface SetOptions extends ChangeOptions {
  /** True: the reply says what was there before. */
  readonly prev?: boolean;
}

export interface ListOptions extends ReadOptions {
  /** No further than this many levels below the prefix; deeper ones show as their directory, ending in `/`. */
  readonly depth?: number;
  /** True: entries, with values and revisions, instead of names. */
  readonly values?: boolean;
  /** Names in one page, at most 10,000: how many are asked for at a time, not how many come in all. */
  readonly limit?: number;
}

/**
 * A client of one cluster, to which nothing is sent before the first request.
 *
 * Requests share one connection and do not wait for each other: send as many at a time as you like. When the node is
 * slow to read, promises wait, and memory does not grow with what is on the wire. A failure rejects with a
 * `ClientError`; what may safely be tried again has been, within the deadline.
 */
export class Client {
  readonly #exchange: Exchange;
  readonly #timeout: number;

  constructor(addresses: string | readonly string[], options: ClientOptions = {}) {
    this.#timeout = options.timeout ?? TIMEOUT;
    const { failFast = false, session = true } = options;
    this.#exchange = new Exchange(parseAddresses(addresses), {
      isImpatient: failFast,
      session: session === true ? {} : session === false ? undefined : session,
    });
  }

  /** The node that requests go to at the moment. */
  get address(): string {
    return this.#exchange.address;
  }

  /** One key; an absent one has `value` null and `mod` 0. */
  get(key: string, options: ReadOptions = {}): Promise<GetReply> {
    const { read, ...rest } = options;
    return this.request('get', { key, read }, rest) as Promise<GetReply>;
  }

  /** Writes one key, when all conditions hold. */
  set(key: string, value: string, options: SetOptions = {}): Promise<SetReply> {
    const { if: conditions, prev, ...rest } = options;
    return this.request('set', { key, value, if: conditions, prev }, rest) as Promise<SetReply>;
  }

  /** Removes one key, or all that begin with a prefix, when all conditions hold. */
  remove(what: string | { readonly prefix: string }, options: ChangeOptions = {}): Promise<RemoveReply> {
    const { if: conditions, ...rest } = options;
    const target = typeof what === 'string' ? { key: what } : { prefix: what.prefix };
    return this.request('remove', { ...target, if: conditions }, rest) as Promise<RemoveReply>;
  }

  /**
   * Everything that begins with the prefix, in order: names, or entries with `values: true`. Pages are asked for as
   * they are needed, each with a deadline of its own; a change meanwhile shows where it is yet to come.
   */
  list(prefix: string, options: ListOptions & { readonly values: true }): AsyncGenerator<Entry, void, void>;
  list(
    prefix?: string,
    options?: ListOptions & { readonly values?: false },
  ): AsyncGenerator<string, void, void>;
  list(prefix?: string, options?: ListOptions): AsyncGenerator<string | Entry, void, void>;
  async *list(prefix = '', options: ListOptions = {}): AsyncGenerator<string | Entry, void, void> {
    const { timeout, signal, ...fields } = options;
    const rest: CallOptions = { ...(timeout !== undefined && { timeout }), ...(signal && { signal }) };
    let after: string | undefined;
    do {
      const page = (await this.request('list', { prefix, ...fields, after }, rest)) as PageReply;
      yield* page.entries ?? page.keys ?? [];
      after = page.next ?? undefined;
    } while (after !== undefined);
  }

  /** What the node asked knows of itself. */
  status(options?: CallOptions): Promise<StatusReply> {
    return this.request('status', {}, options) as Promise<StatusReply>;
  }

  /** Who the node asked is, its limits and its operations. */
  hello(options?: CallOptions): Promise<HelloReply> {
    return this.request('hello', {}, options) as Promise<HelloReply>;
  }

  ping(options?: CallOptions): Promise<PingReply> {
    return this.request('ping', {}, options) as Promise<PingReply>;
  }

  /** The operations of the node asked, with how each is used. */
  help(options?: CallOptions): Promise<HelpReply> {
    return this.request('help', {}, options) as Promise<HelpReply>;
  }

  /** Any operation of the protocol, with its fields as PROTOCOL has them. */
  request(op: string, fields: Fields = {}, options: CallOptions = {}): Promise<Success> {
    return this.#submit(op, fields, options, false) as Promise<Success>;
  }

  /** As `request`, but resolves with the reply line as it came. */
  requestLine(op: string, fields: Fields = {}, options: CallOptions = {}): Promise<string> {
    return this.#submit(op, fields, options, true) as Promise<string>;
  }

  #submit(op: string, fields: Fields, options: CallOptions, wantsLine: boolean): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = new Call(
        { op, fields, timeout: options.timeout ?? this.#timeout, wantsLine },
        resolve,
        reject,
      );
      this.#exchange.submit(call, options.signal);
    });
  }

  /** Closes the connection. What is still open is rejected, with `definite: false` where a change was sent. */
  close(): Promise<void> {
    return this.#exchange.close();
  }
}

/**
 * A client of the cluster at these addresses, which are tried in turn: `127.0.0.1:7001`, `[::1]:7001`, several with
 * commas between, or a list. Throws BAD_REQUEST when one is no address.
 */
export function connect(addresses: string | readonly string[], options: ClientOptions = {}): Client {
  return new Client(addresses, options);
}
