import { ClientError, localError } from '../client-error.ts';
import type { CallOptions, LockOptions } from '../options.ts';
import type { Entry, PageReply, SetReply } from '../results.ts';
import { pause } from '../roster.ts';
import { Lease } from './lease.ts';
import { watch } from './watch.ts';
import { anyOf, interrupted, rest, type Wire } from './wire.ts';

/** Seconds after which a place ends whose holder is gone. */
export const TTL = 10;

/**
 * A queue of those who want the same thing, each with a key of its own under a lease of its own. The key that was
 * created first is at its head, so that they come in the order in which the log has them; the revision that created a
 * key is greater than that of every holder before, which makes it the fencing token.
 */
export class Queue {
  readonly #wire: Wire;
  readonly #directory: string;

  /** `directory`: where its keys are, with a last `/`. */
  constructor(wire: Wire, directory: string) {
    this.#wire = wire;
    this.#directory = directory;
  }

  /** Waits for its turn, behind all who came before. Whoever loses a place in the line goes to its end, at once. */
  async enter(value: string, { ttl = TTL, signal, onWait }: Omit<LockOptions, 'value'>): Promise<Place> {
    for (;;) {
      const place = await this.#stand(value, ttl, signal);
      if (place === undefined) continue;
      if (await this.#reaches(place, signal, onWait)) return place;
      if (place.isReleased) throw localError('SHUTTING_DOWN', 'this client is closed', { op: 'lock' });
      void place.release();
    }
  }

  /** Who is at the head. */
  async head(options: CallOptions): Promise<Entry | undefined> {
    const { entries } = await this.#all(options);
    return entries.sort(byCreation)[0];
  }

  /** Puts a key at the end of the line; undefined when its lease was lost meanwhile. */
  async #stand(value: string, ttl: number, signal: AbortSignal | undefined): Promise<Place | undefined> {
    const lease = await Lease.grant(this.#wire, ttl, signal && { signal });
    const key = `${this.#directory}${lease.id}`;
    const fields = { key, value, lease: lease.id, if: { absent: true } };
    try {
      const options = { signal: anyOf(signal, lease.lost) };
      const { mod } = (await this.#wire.request('set', fields, options)) as SetReply;
      return new Place(this.#wire, lease, key, mod);
    } catch (error) {
      letGo(lease);
      if (signal?.aborted) throw interrupted('lock', signal);
      if (!lease.lost.aborted) throw error;
      return undefined;
    }
  }

  /** Waits at a place until nobody is before it; false when it is gone. */
  async #reaches(
    place: Place,
    signal: AbortSignal | undefined,
    onWait: LockOptions['onWait'],
  ): Promise<boolean> {
    try {
      return await this.#isTurn(place, anyOf(signal, place.lost), onWait);
    } catch (error) {
      if (!signal?.aborted && place.lost.aborted) return false;
      void place.release();
      throw signal?.aborted ? interrupted('lock', signal) : error;
    }
  }

  async #isTurn(
    { key, create }: Place,
    signal: AbortSignal,
    onWait: LockOptions['onWait'],
  ): Promise<boolean> {
    for (;;) {
      const { entries, rev } = await outlasting(signal, () => this.#all({ signal }));
      if (!entries.some(entry => entry.key === key && entry.create === create)) return false;
      const before = entries
        .filter(entry => entry.create < create)
        .sort(byCreation)
        .at(-1);
      if (before === undefined) return true;
      onWait?.();
      // Only the one right before is watched, so that whoever leaves wakes one, and not all who wait.
      await outlasting(signal, () => gone(this.#wire, before, rev, signal));
    }
  }

  /** Everybody's keys, and the revision at which they were read or before. */
  async #all(options: CallOptions): Promise<{ entries: Entry[]; rev: number }> {
    const entries: Entry[] = [];
    let rev: number | undefined;
    let after: string | undefined;
    do {
      const fields = { prefix: this.#directory, depth: 1, values: true, after };
      const page = (await this.#wire.request('list', fields, options)) as PageReply;
      rev ??= page.rev;
      // What lies deeper belongs to others.
      for (const entry of page.entries ?? []) if (entry.value !== null) entries.push(entry);
      after = page.next ?? undefined;
    } while (after !== undefined);
    return { entries, rev };
  }
}

function byCreation(a: Entry, b: Entry): number {
  return a.create - b.create;
}

/** Does again what failed for a reason that may pass. The lease tells when that has lasted too long. */
async function outlasting<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || !(error instanceof ClientError && error.retry)) throw error;
      await rest(pause(failures), signal);
    }
  }
}

/** Resolves once the key is removed that was there at a revision. */
async function gone(wire: Wire, { key, create }: Entry, rev: number, signal: AbortSignal): Promise<void> {
  for await (const update of watch(wire, { key }, { from: rev + 1, signal })) {
    const isGone =
      update.type === 'reset'
        ? !update.entries.some(entry => entry.create === create)
        : update.events.some(({ type }) => type === 'remove');
    if (isGone) return;
  }
}

/** Nobody waits for it: when it does not succeed, the lease ends by itself. */
function letGo(lease: Lease): void {
  lease.revoke().catch(() => {});
}

/**
 * A place in a queue: a key under a lease, from when it is created until it is let go or lost, in the line and at its
 * head. Somebody may remove the key, or revoke the lease, in its owner's place: a watch of the key tells at once.
 */
export class Place {
  readonly key: string;
  /** The revision that created the key. */
  readonly create: number;
  readonly #lease: Lease;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  readonly #forget: () => void;
  #isReleased = false;

  constructor(wire: Wire, lease: Lease, key: string, create: number) {
    this.key = key;
    this.create = create;
    this.#lease = lease;
    // Of its own accord: otherwise the end of its lease would look like a loss.
    this.#forget = wire.keep(() => this.release());
    lease.lost.addEventListener('abort', () => this.#lose(lease.lost.reason));
    if (lease.lost.aborted) this.#lose(lease.lost.reason);
    else void this.#guard(wire);
  }

  async #guard(wire: Wire): Promise<void> {
    const { key, create } = this;
    const { signal } = this.#stop;
    try {
      await outlasting(signal, () => gone(wire, { key, create } as Entry, create, signal));
    } catch {
      // The watch was stopped, or cannot go on: then the lease tells.
      return;
    }
    letGo(this.#lease);
    this.#lose(new Error(`${key} was removed`));
  }

  #lose(reason: unknown): void {
    if (this.#isReleased || this.#lost.signal.aborted) return;
    this.#stop.abort();
    this.#forget();
    this.#lost.abort(reason);
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get isReleased(): boolean {
    return this.#isReleased;
  }

  get isHeld(): boolean {
    return !this.#isReleased && !this.#lost.signal.aborted && this.#lease.isHeld;
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#stop.abort();
    this.#forget();
    // What is lost is nobody's to give back, and nobody is to wait for nodes that cannot be reached.
    if (!this.#lost.signal.aborted) await this.#lease.revoke().catch(() => {});
  }
}
