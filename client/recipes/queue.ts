import { ClientError } from '../client-error.ts';
import type { CallOptions, KeepOptions } from '../options.ts';
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

  /** Waits for its turn, behind all who came before. */
  async enter(value: string, { ttl = TTL, signal }: KeepOptions): Promise<Place> {
    for (;;) {
      const lease = await Lease.grant(this.#wire, ttl, signal && { signal });
      const until = anyOf(signal, lease.lost);
      try {
        const place = await this.#stand(lease, value, until);
        if (place !== undefined) return place;
      } catch (error) {
        letGo(lease);
        if (signal?.aborted) throw interrupted('lock', signal);
        // Whoever lost a place in the line, not what was held, goes to its end.
        if (!lease.lost.aborted) throw error;
        continue;
      }
      letGo(lease);
    }
  }

  /** Who is at the head. */
  async head(options: CallOptions): Promise<Entry | undefined> {
    const { entries } = await this.#all(options);
    return entries.sort(byCreation)[0];
  }

  async #stand(lease: Lease, value: string, signal: AbortSignal): Promise<Place | undefined> {
    const key = `${this.#directory}${lease.id}`;
    const fields = { key, value, lease: lease.id, if: { absent: true } };
    const { mod } = (await this.#wire.request('set', fields, { signal })) as SetReply;
    return (await this.#isTurn(key, mod, signal)) ? new Place(this.#wire, lease, key, mod) : undefined;
  }

  /** Waits until nobody is before it; false when its own key is gone. */
  async #isTurn(key: string, create: number, signal: AbortSignal): Promise<boolean> {
    for (let failures = 0; ; ) {
      try {
        const { entries, rev } = await this.#all({ signal });
        if (!entries.some(entry => entry.key === key && entry.create === create)) return false;
        const before = entries
          .filter(entry => entry.create < create)
          .sort(byCreation)
          .at(-1);
        if (before === undefined) return true;
        failures = 0;
        // Only the one right before is watched, so that whoever leaves wakes one, and not all who wait.
        await gone(this.#wire, before, rev, signal);
      } catch (error) {
        // The lease tells when it has lasted too long.
        if (signal.aborted || !(error instanceof ClientError && error.retry)) throw error;
        failures += 1;
        await rest(pause(failures), signal);
      }
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

/** The head of a queue, held until it is let go or lost. */
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

  /** Somebody may remove the key, or revoke the lease, in the holder's place. */
  async #guard(wire: Wire): Promise<void> {
    try {
      await gone(wire, { key: this.key, create: this.create } as Entry, this.create, this.#stop.signal);
      letGo(this.#lease);
      this.#lose(new Error(`${this.key} was removed`));
    } catch {
      // The watch was stopped, or cannot go on: then the lease tells.
    }
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

  get isHeld(): boolean {
    return !this.#isReleased && !this.#lost.signal.aborted && this.#lease.isHeld;
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#stop.abort();
    this.#forget();
    await this.#lease.revoke().catch(() => {});
  }
}
