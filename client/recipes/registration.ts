import { ClientError } from '../client-error.ts';
import type { KeepOptions } from '../options.ts';
import type { SetReply, WatchUpdate } from '../results.ts';
import { pause } from '../roster.ts';
import { Lease } from './lease.ts';
import { TTL } from './queue.ts';
import { type Instance, keyOf, readInstance } from './services.ts';
import { watch } from './watch.ts';
import { anyOf, rest, type Wire } from './wire.ts';

/** What is known of the key that stands for an instance. */
interface Holding {
  readonly mod: number;
  readonly lease: number | undefined;
  readonly value: string;
}

/**
 * An instance that others can find, until it is withdrawn or its process is gone. A watch of its own key tells it when
 * it is not there: where nobody is, it comes back by itself, as after a time in which no node could be reached; where
 * somebody else was registered under its id, it waits until that one goes, so that two who live do not fight over it.
 */
export class Registration {
  readonly service: string;
  readonly instance: Instance;
  readonly #wire: Wire;
  readonly #ttl: number;
  readonly #stop = new AbortController();
  readonly #forget: () => void;
  readonly #listeners = new Set<() => void>();
  /** Every lease under which this process may have written the key. */
  readonly #leases = new Set<number>();
  #lease: Lease | undefined;
  /** What the key holds, as of the last revision heard of. */
  #holding: Holding | undefined;
  #rev = 0;
  #told = '';
  #isSettling = false;
  #failure: Error | undefined;

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
      // Whoever comes takes over: it may be the same program, started again before the lease of its former life ended.
      await registration.#enter({}, anyOf(signal, registration.#stop.signal));
    } catch (error) {
      void registration.withdraw();
      throw error;
    }
    void registration.#follow();
    return registration;
  }

  /** The key that stands for it. */
  get key(): string {
    return keyOf(this.service, this.instance.id);
  }

  /** Whether others can find it at this moment, as far as this process knows. */
  get isThere(): boolean {
    const isOwn = this.#holding !== undefined && this.#holding.lease === this.#lease?.id;
    return isOwn && this.#lease?.isHeld === true && !this.#stop.signal.aborted;
  }

  /** Who was registered under its id since, for as long as that one is there. */
  get successor(): Instance | undefined {
    const { id } = this.instance;
    if (this.#holding === undefined || this.#isOwn(this.#holding)) return undefined;
    return readInstance(id, this.#holding.value) ?? { id, address: this.#holding.value };
  }

  /** Why it does not come back any more, when a node refused to let it. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Calls back when it is there no more, or again, or `successor` is another; returns what ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes it out; its clients hear of it at once. */
  async withdraw(): Promise<void> {
    this.#listeners.clear();
    this.#stop.abort();
    this.#forget();
    await this.#lease?.revoke().catch(() => {});
  }

  #isOwn({ lease }: Holding): boolean {
    return lease !== undefined && this.#leases.has(lease);
  }

  /** Writes the key, under a condition, with a lease that is held. */
  async #enter(condition: object, signal: AbortSignal): Promise<void> {
    const lease = this.#lease?.isHeld === true ? this.#lease : await this.#grant(signal);
    const { address, meta } = this.instance;
    const value = JSON.stringify({ address, meta });
    const fields = { key: this.key, value, lease: lease.id, ...condition };
    const { mod } = (await this.#wire.request('set', fields, { signal })) as SetReply;
    this.#failure = undefined;
    if (mod > this.#rev) this.#holds({ mod, lease: lease.id, value }, mod);
  }

  async #grant(signal: AbortSignal): Promise<Lease> {
    const lease = await Lease.grant(this.#wire, this.#ttl, { signal });
    this.#lease = lease;
    this.#leases.add(lease.id);
    lease.lost.addEventListener('abort', () => {
      this.#tell();
      void this.#settle();
    });
    if (this.#stop.signal.aborted) await lease.revoke().catch(() => {});
    return lease;
  }

  /** Hears of everything that becomes of the key. */
  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        for await (const update of watch(this.#wire, { key: this.key }, { initial: true, signal })) {
          failures = 0;
          this.#heard(update);
        }
      } catch (error) {
        if (!this.#mayPass(error)) return;
        await rest(pause(failures), signal);
      }
    }
  }

  #heard(update: WatchUpdate): void {
    if (update.type === 'reset') {
      const [entry] = update.entries;
      this.#holds(entry && { mod: entry.mod, lease: entry.lease, value: entry.value ?? '' }, update.rev);
    } else if (update.rev > this.#rev) {
      const event = update.events.at(-1);
      if (event?.type === 'set') this.#holds(event as Holding, update.rev);
      else this.#holds(undefined, update.rev);
    }
    void this.#settle();
  }

  #holds(holding: Holding | undefined, rev: number): void {
    this.#holding = holding;
    this.#rev = rev;
    // A key that is gone is written again at once: what comes of that is told.
    if (holding !== undefined) this.#tell();
  }

  /** Comes back, for as long as it is not there and nobody else is. */
  async #settle(): Promise<void> {
    if (this.#isSettling) return;
    this.#isSettling = true;
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted && !this.isThere && this.successor === undefined; ) {
      const rev = this.#rev;
      const { mod } = this.#holding ?? {};
      try {
        await this.#enter({ if: mod === undefined ? { absent: true } : { mod } }, signal);
      } catch (error) {
        const code = error instanceof ClientError ? error.code : undefined;
        if (code === 'LEASE_NOT_FOUND') this.#lease?.revoke().catch(() => {});
        if (code === 'CONFLICT') {
          // Something became of the key that the watch has yet to tell: then this is called again.
          if (this.#rev === rev) break;
        } else if (!this.#mayPass(error)) break;
        else {
          this.#tell();
          failures += 1;
          await rest(pause(failures), signal);
        }
      }
    }
    this.#isSettling = false;
  }

  /** Whether to try again after a failure; what refuses it for good ends it. */
  #mayPass(error: unknown): boolean {
    if (this.#stop.signal.aborted) return false;
    if (error instanceof ClientError && (error.retry || error.code === 'LEASE_NOT_FOUND')) return true;
    this.#failure = error as Error;
    this.#tell();
    return false;
  }

  #tell(): void {
    const { isThere, successor, failure } = this;
    const told = JSON.stringify([isThere, successor?.address, failure?.message]);
    if (told === this.#told) return;
    this.#told = told;
    for (const listener of this.#listeners) listener();
  }
}
