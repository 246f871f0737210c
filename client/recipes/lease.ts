import { ClientError, localError } from '../client-error.ts';
import type { CallOptions } from '../options.ts';
import type { LeaseReply } from '../results.ts';
import { pause } from '../roster.ts';
import type { Wire } from './wire.ts';

/** Renewals in the time of a lease: two may fail before it is at risk. */
const RENEWALS = 3;
/** The part of its time for which we rely on it; the rest is for clocks that run apart, and for letting go. */
const RELIABLE = 0.9;
/** Milliseconds: the shortest that a renewal may take, and the longest that a timer waits. */
const SHORTEST = 250;
const LONGEST = 86_400_000;

/**
 * A lease, renewed until it is revoked or lost. Keys that were set with its `id` end with it.
 *
 * Whether it is held is judged here, and by this process's own clock, from the moment when the last renewal that
 * succeeded was asked for: the cluster counts from a later one, so it ends it no sooner than we say that it is lost. But a
 * process that stood still cannot know in time: what must not happen twice belongs under a condition on a key of the
 * lease, which the cluster judges.
 */
export class Lease {
  readonly id: number;
  /** Seconds that it lives after a renewal. */
  readonly ttl: number;
  readonly #wire: Wire;
  readonly #lost = new AbortController();
  readonly #forget: () => void;
  #validUntil: number;
  #renewAt: number;
  #failures = 0;
  #isRenewing = false;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  private constructor(wire: Wire, { lease, ttl }: LeaseReply, askedAt: number) {
    this.id = lease;
    this.ttl = ttl;
    this.#wire = wire;
    this.#validUntil = 0;
    this.#renewAt = 0;
    this.#forget = wire.keep(() => this.revoke());
    this.#renewed(askedAt);
  }

  static async grant(wire: Wire, ttl: number, options?: CallOptions): Promise<Lease> {
    const askedAt = performance.now();
    return new Lease(wire, (await wire.request('grant', { ttl }, options)) as LeaseReply, askedAt);
  }

  /** Raised when the lease is lost, with the reason; not when it is revoked from here. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether it is held at this moment. */
  get isHeld(): boolean {
    return !this.#isOver && performance.now() < this.#validUntil;
  }

  /** Ends it, and its keys with it. Rejects when the cluster did not say so; then it ends by itself, after its `ttl`. */
  async revoke(options?: CallOptions): Promise<void> {
    this.#end();
    try {
      await this.#wire.request('revoke', { lease: this.id }, options);
    } catch (error) {
      if (!(error instanceof ClientError && error.code === 'LEASE_NOT_FOUND')) throw error;
    } finally {
      this.#forget();
    }
  }

  get #period(): number {
    return (this.ttl * 1_000) / RENEWALS;
  }

  #renewed(askedAt: number): void {
    this.#failures = 0;
    this.#validUntil = askedAt + this.ttl * 1_000 * RELIABLE;
    this.#renewAt = askedAt + this.#period;
    this.#plan();
  }

  #plan(): void {
    clearTimeout(this.#timer);
    if (this.#isOver) return;
    const at = this.#isRenewing ? this.#validUntil : Math.min(this.#renewAt, this.#validUntil);
    const wait = Math.min(LONGEST, Math.max(0, at - performance.now()));
    this.#timer = setTimeout(() => this.#due(), wait);
  }

  #due(): void {
    const now = performance.now();
    if (now >= this.#validUntil) {
      const words = `lease ${this.id} could not be renewed for ${this.ttl} s`;
      this.#lose(localError('LEASE_NOT_FOUND', words, { op: 'renew' }));
      return;
    }
    if (now >= this.#renewAt && !this.#isRenewing) void this.#renew(now);
    this.#plan();
  }

  async #renew(askedAt: number): Promise<void> {
    this.#isRenewing = true;
    // No longer than until the next is due: a node that hangs is then left for another.
    const timeout = Math.ceil(Math.max(SHORTEST, Math.min(this.#period, this.#validUntil - askedAt)));
    try {
      await this.#wire.request('renew', { lease: this.id }, { timeout });
      this.#isRenewing = false;
      if (!this.#isOver) this.#renewed(askedAt);
    } catch (error) {
      this.#isRenewing = false;
      const isGone = error instanceof ClientError && !error.retry && error.code !== 'SESSION_EXPIRED';
      if (isGone) this.#lose(error);
      else {
        this.#failures += 1;
        // It answers, and may yet be cut off from the others.
        if (error instanceof ClientError && error.code === 'TIMEOUT') {
          this.#wire.forsake(`did not renew lease ${this.id} in time`);
        }
        this.#renewAt = performance.now() + pause(this.#failures);
        this.#plan();
      }
    }
  }

  #lose(error: ClientError): void {
    if (this.#isOver) return;
    this.#end();
    this.#forget();
    this.#lost.abort(error);
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
