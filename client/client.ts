import { RaftlineError } from '../src/wire/errors.ts';
import type { Condition, ReadMode } from '../src/wire/fields.ts';
import type { Success } from '../src/wire/reply.ts';
import { Call, type Fields } from './call.ts';
import { ClientError } from './client-error.ts';
import { parseTargets } from './dial.ts';
import { Exchange } from './exchange.ts';
import { Kept } from './kept.ts';
import type {
  CallOptions,
  ChangeOptions,
  ClientOptions,
  KeepOptions,
  ListOptions,
  LockOptions,
  ReadOptions,
  SetOptions,
  Txn,
  WatchOptions,
} from './options.ts';
import { Cached } from './recipes/cached.ts';
import { Lease } from './recipes/lease.ts';
import { elect, type Leader, type Leadership, type Lock, leader, lock } from './recipes/lock.ts';
import { Registration } from './recipes/registration.ts';
import { type Instance, Services } from './recipes/services.ts';
import { type Transaction, type TransactionOptions, transaction } from './recipes/transaction.ts';
import { watch, watchCluster } from './recipes/watch.ts';
import type { Wire } from './recipes/wire.ts';
import type {
  ClusterEvent,
  Entry,
  GetReply,
  HelloReply,
  HelpReply,
  LeaseReply,
  LeaseStatus,
  LeasesReply,
  PageReply,
  PingReply,
  RemoveReply,
  SetReply,
  StatusReply,
  TxnReply,
  WatchUpdate,
} from './results.ts';
import type { Transport } from './transport.ts';

export type { ErrorCode, Failure } from '../src/wire/errors.ts';
export type * from './options.ts';
export type { CacheChange } from './recipes/cached.ts';
export type * from './results.ts';
export type {
  Cached,
  Condition,
  Fields,
  Instance,
  Leader,
  Leadership,
  Lease,
  Lock,
  ReadMode,
  Registration,
  Services,
  Success,
  Transaction,
  TransactionOptions,
};
export { ClientError, RaftlineError };

/** Milliseconds that a request may take when nobody says. */
const TIMEOUT = 5_000;

/**
 * A client of one cluster, to which nothing is sent before the first request.
 *
 * Requests share one connection and do not wait for each other: send as many at a time as you like. When the node is
 * slow to read, promises wait, and memory does not grow with what is on the wire. A failure rejects with a
 * `ClientError`; what may safely be tried again has been, within the deadline.
 */
export class Client {
  readonly #exchange: Transport;
  readonly #scheme: string;
  readonly #timeout: number;
  readonly #kept = new Kept();
  readonly #wire: Wire;
  #closing: Promise<void> | undefined;

  constructor(addresses: string | readonly string[], options: ClientOptions = {}) {
    this.#timeout = options.timeout ?? TIMEOUT;
    const { failFast = false, session = true } = options;
    const targets = parseTargets(addresses);
    this.#scheme = targets.isGrpc ? 'grpc://' : '';
    this.#exchange = new Exchange(targets.addresses, {
      dial: targets.dial,
      isImpatient: failFast,
      session: session === true ? {} : session === false ? undefined : session,
    });
    this.#wire = {
      timeout: this.#timeout,
      request: (op, fields, callOptions) => this.request(op, fields, callOptions),
      open: (op, fields, listener) => this.#exchange.open(op, fields, this.#timeout, listener),
      forsake: why => this.#exchange.forsake(why),
      keep: end => this.#kept.add(end),
    };
  }

  /** The node that requests go to at the moment. */
  get address(): string {
    return `${this.#scheme}${this.#exchange.address}`;
  }

  /** One key; an absent one has `value` null and `mod` 0. */
  get(key: string, options: ReadOptions = {}): Promise<GetReply> {
    const { read, ...rest } = options;
    return this.request('get', { key, read }, rest) as Promise<GetReply>;
  }

  /** Writes one key, when all conditions hold. */
  set(key: string, value: string, options: SetOptions = {}): Promise<SetReply> {
    const { if: conditions, prev, lease, ...rest } = options;
    return this.request('set', { key, value, if: conditions, prev, lease }, rest) as Promise<SetReply>;
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

  /** Several operations at once, in one revision: `then` when all conditions hold, and `else` when one does not. */
  txn({ if: conditions, then, else: otherwise }: Txn, options?: CallOptions): Promise<TxnReply> {
    const fields = { if: conditions, then, else: otherwise };
    return this.request('txn', fields, options) as Promise<TxnReply>;
  }

  /**
   * Reads and changes keys as if nobody else did: the work runs, its changes are made in one revision provided that what
   * it read is still so, and if not it runs again. `timeout` is for all of it.
   *
   *     await client.transaction(async tx => {
   *       const stock = Number(await tx.get('/stock'));
   *       if (stock === 0) throw new Error('sold out');
   *       tx.set('/stock', String(stock - 1));
   *     });
   */
  transaction<T>(
    work: (transaction: Transaction) => T | Promise<T>,
    options?: TransactionOptions,
  ): Promise<T> {
    return transaction(this.#wire, work, options);
  }

  /**
   * What happens to a key, or to all that begin with a prefix: each revision once, whole and in order, also across the
   * loss of nodes and leaders. Where the cluster no longer knows what happened, a `reset` brings what is there now.
   * It begins with the first step of the iteration, and ends with its last; a reader may be as slow as it likes.
   *
   *     for await (const update of client.watch('/app/', { initial: true })) …
   */
  watch(
    what: string | { readonly key: string },
    options?: WatchOptions,
  ): AsyncGenerator<WatchUpdate, void, void> {
    return watch(this.#wire, typeof what === 'string' ? { prefix: what } : { key: what.key }, options);
  }

  /** Changes of the cluster's leader and members, as the node asked sees them, until the signal is raised. */
  watchCluster({ signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<ClusterEvent, void, void> {
    return watchCluster(this.#wire, signal);
  }

  /** All that begins with a prefix, held in memory and kept current: the way to read configuration. */
  cached(prefix: string): Cached {
    return new Cached(this.#wire, prefix);
  }

  /** Asks for a lease of so many seconds, which nobody renews: see `renew`, or `lease` for one that is kept alive. */
  grant(ttl: number, options?: CallOptions): Promise<LeaseReply> {
    return this.request('grant', { ttl }, options) as Promise<LeaseReply>;
  }

  /** Begins the time of a lease anew. */
  renew(lease: number, options?: CallOptions): Promise<LeaseReply> {
    return this.request('renew', { lease }, options) as Promise<LeaseReply>;
  }

  /** Ends a lease, and its keys with it. */
  revoke(lease: number, options?: CallOptions): Promise<Success> {
    return this.request('revoke', { lease }, options);
  }

  /** The leases that there are, in the order of their numbers; pages are asked for as they are needed. */
  async *leases(options: CallOptions = {}): AsyncGenerator<LeaseStatus, void, void> {
    let from: number | undefined;
    do {
      const page = (await this.request('leases', { from }, options)) as LeasesReply;
      yield* page.leases;
      from = page.next ?? undefined;
    } while (from !== undefined);
  }

  /** A lease of so many seconds, renewed until it is revoked, lost, or the client closed. */
  lease(ttl: number, options?: CallOptions): Promise<Lease> {
    return Lease.grant(this.#wire, ttl, options);
  }

  /**
   * Waits for a lock, first come, first served, and resolves once it is held. It is released by `release` or when the
   * client is closed, and lost when this process can no longer be heard for `ttl` seconds.
   *
   *     const lock = await client.lock('report');
   *     try {
   *       await client.set('/report/last', today, { if: lock.guard });
   *     } finally {
   *       await lock.release();
   *     }
   */
  lock(name: string, options?: LockOptions): Promise<Lock> {
    return lock(this.#wire, name, options);
  }

  /** Stands for election, and resolves once it is won; the value is what others read of the leader. */
  elect(name: string, value: string, options?: KeepOptions): Promise<Leadership> {
    return elect(this.#wire, name, value, options);
  }

  /** Who leads in an election; null when nobody does. */
  leader(name: string, options?: CallOptions): Promise<Leader | null> {
    return leader(this.#wire, name, options);
  }

  /** Lets others find an instance of a service, for as long as this process lives or until it is withdrawn. */
  register(service: string, instance: Instance, options?: KeepOptions): Promise<Registration> {
    return Registration.register(this.#wire, service, instance, options);
  }

  /** The instances of a service, as a list that is kept current. */
  services(service: string): Services {
    return new Services(this.#wire, service);
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

  /** Any operation of the protocol, with its fields as they stand in a line; `help` lists them. */
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

  /**
   * Lets go of locks, leaderships, registrations and leases, and closes the connection. What is still open is rejected,
   * with `definite: false` where a change was sent.
   */
  close(): Promise<void> {
    this.#closing ??= this.#kept.end().then(() => this.#exchange.close());
    return this.#closing;
  }
}

/**
 * A client of the cluster at these addresses, which are tried in turn: `127.0.0.1:7001`, `[::1]:7001`, several with
 * commas between, or a list. Those that begin with `grpc://` are spoken to in gRPC, which has to be loaded first. Throws
 * BAD_REQUEST when one is no address.
 */
export function connect(addresses: string | readonly string[], options: ClientOptions = {}): Client {
  return new Client(addresses, options);
}
