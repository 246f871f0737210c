import { ClientError, localError } from '../client-error.ts';
import type { WatchOptions } from '../options.ts';
import type { ClusterEvent, Entry, EventsUpdate, ResetUpdate, WatchEvent, WatchUpdate } from '../results.ts';
import { pause } from '../roster.ts';
import type { Push } from '../transport.ts';
import { Inbox } from './inbox.ts';
import { readState, type Target } from './state.ts';
import { interrupted, rest, type Wire } from './wire.ts';

/** Characters of pushes that wait for a slow reader, before the stream is given up and resumed later. */
const MOST_WAITING = 4_194_304;

/** Milliseconds after which a stream counts as one that works, and its end as the first of its kind. */
const LASTING = 1_000;

/**
 * Every revision that touches the target, once, whole and in order, from a revision on, across the loss of connections,
 * nodes and leaders: each new stream begins behind the last revision heard of.
 *
 * Where the cluster's history does not reach back that far, what is there now comes as a `reset`. So it does when the
 * cluster stays behind what was heard of: it was restored from a backup, and goes on from an earlier state.
 */
export async function* watch(
  wire: Wire,
  target: Target,
  { from, initial = false, prev, signal }: WatchOptions = {},
): AsyncGenerator<WatchUpdate, void, void> {
  if (initial && from !== undefined) {
    const words = '"initial" begins with what is there now, and "from" with a revision: give one of the two';
    throw localError('BAD_REQUEST', words, { op: 'watch' });
  }
  let next = from;
  let mustReset = initial;
  const patience = new Patience(wire.timeout);
  const known = new Known();
  for (;;) {
    try {
      if (signal?.aborted) throw interrupted('watch', signal);
      if (mustReset) {
        const reset = await readState(wire, target, signal);
        mustReset = false;
        next = reset.rev + 1;
        known.begin(reset);
        patience.begun();
        yield reset;
      }
      for await (const push of follow(wire, { ...target, from: next, prev }, signal)) {
        if (push.isReply) patience.begun();
        next ??= push.rev + 1;
        // With a revision to begin from, the node's own is far ahead of what it is about to tell.
        if (push.isReply || push.rev < next) continue;
        next = push.rev + 1;
        const events = known.unseen(push.rev, push.events ?? []);
        if (events.length > 0) yield { type: 'events', rev: push.rev, events } satisfies EventsUpdate;
      }
    } catch (error) {
      mustReset = (await patience.endure(error, signal)) || mustReset;
    }
  }
}

/** The leader and the members, and whenever they are not what they were, as the node at hand sees them. */
export async function* watchCluster(
  wire: Wire,
  signal: AbortSignal | undefined,
): AsyncGenerator<ClusterEvent, void, void> {
  const patience = new Patience(wire.timeout);
  /** What was told last of each type: every new stream begins by telling it again. */
  const told = new Map<string, string>();
  for (;;) {
    try {
      if (signal?.aborted) throw interrupted('watch', signal);
      for await (const push of follow(wire, { cluster: true }, signal)) {
        if (push.isReply) patience.begun();
        for (const event of (push.events ?? []) as unknown as readonly ClusterEvent[]) {
          const text = JSON.stringify(event);
          if (told.get(event.type) === text) continue;
          told.set(event.type, text);
          yield event;
        }
      }
    } catch (error) {
      await patience.endure(error, signal);
    }
  }
}

/** The reply to a watch, or a push of it; one without events tells of progress. */
interface Told {
  readonly isReply?: true;
  readonly rev: number;
  readonly events?: readonly WatchEvent[];
}

/** One stream: the reply, then every push, until the reader is too far behind. */
async function* follow(
  wire: Wire,
  fields: Readonly<Record<string, unknown>>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Told, void, void> {
  const inbox: Inbox = new Inbox(MOST_WAITING, () => stream.close());
  const stream = wire.open('watch', fields, inbox);
  try {
    const { rev } = await inbox.reply(signal);
    yield { isReply: true, rev };
    for (;;) {
      const push: Push | undefined = await inbox.take(signal);
      if (push === undefined) return;
      yield push as unknown as Told;
    }
  } finally {
    stream.close();
  }
}

/** What to make of failures: a watch that has begun outlasts every one that may pass. */
class Patience {
  readonly #limit: number;
  #begunAt: number | undefined;
  #failures = 0;
  /** Since when the cluster has said that a revision is still to come. */
  #aheadSince: number | undefined;

  /** `limit`: milliseconds that a node may be behind what was heard of. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  begun(): void {
    this.#begunAt = performance.now();
    this.#aheadSince = undefined;
  }

  /** Waits before the next try, and resolves with whether that one must begin with a reset; or throws. */
  async endure(error: unknown, signal: AbortSignal | undefined): Promise<boolean> {
    if (!(error instanceof ClientError)) throw error;
    if (error.code === 'COMPACTED') return true;
    const now = performance.now();
    if (error.code === 'FUTURE_REV') {
      this.#aheadSince ??= now;
      if (now - this.#aheadSince > this.#limit) {
        if (this.#begunAt !== undefined) return true;
        throw error;
      }
    } else if (error.name === 'AbortError' || !error.retry || this.#begunAt === undefined) {
      throw error;
    }
    this.#failures = now - (this.#begunAt ?? now) > LASTING ? 1 : this.#failures + 1;
    // A connection that ends is followed at once by another; what then fails, in ever longer steps.
    if (this.#failures > 1 || error.code === 'FUTURE_REV') await rest(pause(this.#failures), signal);
    return false;
  }
}

/**
 * Which events a reset has told already. Its pages are read one after the other, so that later ones may show what came
 * after the first, from whose revision the events go on: nobody is to see a key go back to what it was.
 */
class Known {
  #ahead = new Map<string, number>();
  #until = 0;

  begin({ rev, entries }: ResetUpdate): void {
    this.#ahead = new Map(entries.filter(({ mod }) => mod > rev).map(({ key, mod }: Entry) => [key, mod]));
    this.#until = Math.max(rev, ...this.#ahead.values());
  }

  unseen(rev: number, events: readonly WatchEvent[]): readonly WatchEvent[] {
    if (this.#ahead.size === 0) return events;
    if (rev > this.#until) {
      this.#ahead.clear();
      return events;
    }
    return events.filter(({ key }) => (this.#ahead.get(key) ?? 0) < rev);
  }
}
