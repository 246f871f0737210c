import { ClientError, localError } from '../client-error.ts';
import type { KeepOptions } from '../options.ts';
import type { Entry } from '../results.ts';
import { pause } from '../roster.ts';
import { Cached } from './cached.ts';
import { Lease } from './lease.ts';
import { TTL } from './queue.ts';
import { rest, type Wire } from './wire.ts';

const SERVICES = '/services/';

/** One instance of a service. */
export interface Instance {
  /** Its name, alone of its kind within the service: whoever registers it again takes it over. */
  readonly id: string;
  /** Where it is reached, in whatever form its clients understand. */
  readonly address: string;
  /** Whatever else its clients want to know; JSON. */
  readonly meta?: unknown;
}

/**
 * An instance that others can find, until it is withdrawn or its process is gone. When its lease was lost, since no node
 * could be reached for so long, it comes back by itself.
 */
export class Registration {
  readonly service: string;
  readonly instance: Instance;
  readonly #wire: Wire;
  readonly #ttl: number;
  readonly #stop = new AbortController();
  readonly #forget: () => void;
  #lease: Lease | undefined;
  #isThere = false;

  private constructor(wire: Wire, service: string, instance: Instance, ttl: number) {
    this.service = service;
    this.instance = instance;
    this.#wire = wire;
    this.#ttl = ttl;
    this.#forget = wire.keep(() => this.withdraw());
  }

  static async register(
    wire: Wire,
    service: string,
    { id, address, meta }: Instance,
    { ttl = TTL, signal }: KeepOptions = {},
  ): Promise<Registration> {
    const instance = { id, address, ...(meta !== undefined && { meta }) };
    keyOf(service, id);
    const registration = new Registration(wire, service, instance, ttl);
    try {
      await registration.#enter(signal);
    } catch (error) {
      void registration.withdraw();
      throw error;
    }
    return registration;
  }

  /** The key that stands for it. */
  get key(): string {
    return keyOf(this.service, this.instance.id);
  }

  /** Whether others can find it at this moment, as far as this process knows. */
  get isThere(): boolean {
    return this.#isThere && this.#lease?.isHeld === true;
  }

  /** Takes it out; its clients hear of it at once. */
  async withdraw(): Promise<void> {
    this.#stop.abort();
    this.#forget();
    this.#isThere = false;
    await this.#lease?.revoke().catch(() => {});
  }

  async #enter(signal?: AbortSignal): Promise<void> {
    const lease = await Lease.grant(this.#wire, this.#ttl, signal && { signal });
    this.#lease = lease;
    lease.lost.addEventListener('abort', () => void this.#enterAgain(lease));
    const { address, meta } = this.instance;
    const fields = { key: this.key, value: JSON.stringify({ address, meta }), lease: lease.id };
    await this.#wire.request('set', fields, signal && { signal });
    this.#isThere = true;
  }

  async #enterAgain(lost: Lease): Promise<void> {
    if (this.#lease !== lost) return;
    this.#isThere = false;
    for (let failures = 0; !this.#stop.signal.aborted; failures += 1) {
      await rest(pause(failures + 1), this.#stop.signal);
      try {
        if (!this.#stop.signal.aborted) await this.#enter(this.#stop.signal);
        return;
      } catch (error) {
        this.#lease?.revoke().catch(() => {});
        this.#lease = undefined;
        if (!(error instanceof ClientError && (error.retry || error.code === 'LEASE_NOT_FOUND'))) return;
      }
    }
  }
}

/** The instances of a service that are there, kept current by a watch. */
export class Services {
  readonly service: string;
  readonly #cache: Cached;

  constructor(wire: Wire, service: string) {
    this.service = service;
    this.#cache = new Cached(wire, directoryOf(service));
  }

  /** Resolves once the list is here. */
  get ready(): Promise<void> {
    return this.#cache.ready;
  }

  /** All that are there, in the order of their ids. */
  list(): readonly Instance[] {
    return this.#cache.entries().flatMap(entry => instanceOf(this.#cache.prefix, entry));
  }

  /** Calls back with the whole list whenever it is not what it was; returns what ends that. */
  onChange(listener: (instances: readonly Instance[]) => void): () => void {
    return this.#cache.onChange(() => listener(this.list()));
  }

  /** Why the list is no longer kept current, when a node refused to. */
  get failure(): Error | undefined {
    return this.#cache.failure;
  }

  /** Stops following. The list stays as it is. */
  close(): void {
    this.#cache.close();
  }
}

function directoryOf(service: string): string {
  if (service !== '') return `${SERVICES}${service}/`;
  throw localError('BAD_REQUEST', 'a service needs a name', { op: 'set' });
}

function keyOf(service: string, id: string): string {
  if (id !== '' && !id.includes('/')) return `${directoryOf(service)}${id}`;
  throw localError('BAD_REQUEST', 'the id of an instance must not be empty, nor have a /', { op: 'set' });
}

/** None when the key is no instance of this service, or was not written as one. */
function instanceOf(directory: string, { key, value }: Entry): Instance[] {
  const id = key.slice(directory.length);
  if (id.includes('/')) return [];
  try {
    const { address, meta } = JSON.parse(value ?? '') as Partial<Instance>;
    return typeof address === 'string' ? [{ id, address, ...(meta !== undefined && { meta }) }] : [];
  } catch {
    return [];
  }
}
