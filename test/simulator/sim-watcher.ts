import { isDeepStrictEqual } from 'node:util';
import type { Client, Follower } from '../../src/node/client.ts';
import type { News } from '../../src/node/news.ts';
import type { RequestOf } from '../../src/wire/ops.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import type { Surroundings } from './attempt.ts';
import { MS } from './event-loop.ts';
import type { Ledger } from './ledger.ts';
import type { Change, Seen } from './model.ts';
import type { SimNode } from './sim-node.ts';
import { violated } from './violation.ts';

export interface SimWatcherOptions extends Surroundings {
  readonly name: string;
  readonly prefix: string;
  readonly ledger: Ledger;
}

/** What a node says to a watcher unasked. */
interface Push {
  readonly rev?: number;
  readonly events?: readonly { readonly key: string }[];
  readonly progress?: boolean;
  readonly closed?: { readonly code: string; readonly resume?: number };
}

/** Milliseconds after which a connection is given up on which nothing comes, and about how long one lasts at most. */
const PATIENCE = 7_000;
const LIFETIME = 8_000;

/**
 * Somebody who watches a prefix: at one node after the other, always from where it left off. It holds what it is told
 * against the ledger: each revision once, whole, in order, none left out, and none before it is committed.
 */
export class SimWatcher {
  readonly #options: SimWatcherOptions;
  /** Everything up to this revision has been told; undefined before it has begun, or when it has to begin anew. */
  #told: number | undefined;
  #connection: Connection | undefined;
  #choices: () => readonly SimNode[];
  /** Events that it was told, and times that it went on at another node, or had to begin anew. */
  events = 0;
  resumed = 0;
  restarted = 0;

  constructor(options: SimWatcherOptions) {
    this.#options = options;
    this.#choices = () => options.nodes;
    this.#later(100);
  }

  /** Whether it has been told of everything that there is to tell. */
  get isLevel(): boolean {
    const { rev } = this.#options.ledger.model;
    return this.#told !== undefined && this.#missed(this.#told, rev + 1) === undefined;
  }

  get description(): string {
    const where = this.#connection === undefined ? 'nowhere' : this.#connection.node.id;
    return `${this.#options.name} watches ${this.#options.prefix} at ${where}, told up to ${this.#told ?? 'nothing'}`;
  }

  /** From now on it asks members alone: a node that was removed while it was away serves nobody, and may not know. */
  settle(members: () => readonly SimNode[]): void {
    this.#choices = members;
    const connection = this.#connection;
    if (connection !== undefined && !members().includes(connection.node)) this.#leave(connection);
  }

  #later(milliseconds: number): void {
    const { timeline, dice } = this.#options;
    timeline.after(dice.around(milliseconds) * MS, () => this.#begin());
  }

  #begin(): void {
    const { dice, prefix, timeline } = this.#options;
    const node = dice.pick(this.#choices());
    const from = this.#told === undefined ? {} : { from: this.#told + 1 };
    const connection = new Connection(this.#options, node, {
      onPush: push => this.#onPush(connection, push),
      onOutcome: outcome => this.#onOutcome(connection, outcome),
    });
    this.#connection = connection;
    connection.send({ op: 'watch', prefix, prev: true, timeout: 3_000, ...from });
    timeline.after((1_000 + dice.around(LIFETIME)) * MS, () => this.#leave(connection));
    this.#watchFor(connection);
  }

  /** A connection ends with its process, or when nothing comes for too long; then it goes on elsewhere. */
  #watchFor(connection: Connection): void {
    const { timeline, dice } = this.#options;
    timeline.after(200 * MS + dice.around(100 * MS), () => {
      if (this.#connection !== connection) return;
      if (connection.isBroken || timeline.now - connection.heardAt > PATIENCE * MS) this.#leave(connection);
      else this.#watchFor(connection);
    });
  }

  #leave(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    connection.close();
    this.resumed += 1;
    this.#later(100);
  }

  #onOutcome(connection: Connection, outcome: Outcome): void {
    if (this.#connection !== connection) return;
    this.#options.trace(() => `${this.#options.name} watches: ${JSON.stringify(outcome)}`);
    if (outcome.ok) {
      this.#told ??= outcome.rev;
      return;
    }
    const { code } = outcome.error;
    if (code === 'FUTURE_REV') {
      violated('a watch goes on at every node', `${connection.node.id}: ${JSON.stringify(outcome.error)}`);
    }
    if (code === 'COMPACTED') this.#restart(Number(outcome.error.compacted));
    this.#leave(connection);
  }

  /** What it needs is no longer kept: it begins anew, as one who reads everything first. */
  #restart(compacted: number): void {
    if (this.#told !== undefined && this.#told >= compacted) {
      violated('a watch goes on at every node', `it has been told up to ${this.#told}, not of ${compacted}`);
    }
    this.#told = undefined;
    this.restarted += 1;
  }

  #onPush(connection: Connection, { rev, events, closed }: Push): void {
    if (this.#connection !== connection) return;
    const { name } = this.#options;
    const told = this.#told ?? 0;
    if (closed !== undefined) {
      const { resume } = closed;
      const missed = resume === undefined ? undefined : this.#missed(told, resume);
      if (missed !== undefined)
        violated('a watch misses nothing', `${name} is to go on from ${resume}, without ${missed}`);
      if (closed.code === 'COMPACTED') this.#told = undefined;
      this.#leave(connection);
      return;
    }
    if (rev === undefined) return;
    if (events !== undefined) {
      if (rev <= told) violated('a watch repeats nothing', `${name} is told of ${rev} after ${told}`);
      const expected = this.#expected(rev);
      const found = [...events].sort((a, b) => (a.key < b.key ? -1 : 1));
      if (!isDeepStrictEqual(found, expected)) {
        const words = `${name} is told of ${rev}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`;
        violated('a watch tells each revision whole', words);
      }
      this.events += 1;
    }
    const missed = this.#missed(told, rev);
    if (missed !== undefined)
      violated('a watch misses nothing', `${name} is told of ${rev}, and not of ${missed}`);
    this.#told = Math.max(told, rev);
  }

  /** The first revision after one and before another that this watcher has to be told of. */
  #missed(after: number, before: number): number | undefined {
    for (let rev = after + 1; rev < before; rev += 1) if (this.#expected(rev).length > 0) return rev;
    return undefined;
  }

  #expected(rev: number): object[] {
    const { ledger, prefix } = this.#options;
    return ledger.model
      .changesOf(rev)
      .filter(({ key }) => key.startsWith(prefix))
      .map(eventOf);
  }
}

/** A change as a watch with `prev` tells it. */
function eventOf({ key, seen, before }: Change): object {
  const prev = before.value === null ? null : before;
  return seen.value === null
    ? { type: 'remove', key, prev }
    : ({ type: 'set', key, ...seen, prev } satisfies Event);
}

interface Event extends Seen {
  readonly type: 'set';
  readonly key: string;
  readonly prev: Seen | null;
}

interface ConnectionEvents {
  readonly onPush: (push: Push) => void;
  readonly onOutcome: (outcome: Outcome) => void;
}

/** A client's connection to one process of a node, for as long as both live. */
class Connection implements Client {
  readonly node: SimNode;
  /** When something last came. */
  heardAt: number;
  readonly #world: SimWatcherOptions;
  readonly #life: number;
  readonly #events: ConnectionEvents;
  readonly #followers = new Set<Follower>();
  #isClosed = false;
  /** What is on its way, and when the last of it arrives. */
  #underWay = 0;
  #lastArrival = 0;
  #isSlow = false;

  constructor(world: SimWatcherOptions, node: SimNode, events: ConnectionEvents) {
    this.#world = world;
    this.node = node;
    this.#life = node.life;
    this.#events = events;
    this.heardAt = world.timeline.now;
    if (world.dice.chance(0.2)) this.#doze();
  }

  /** Now and then it takes nothing for a while. */
  #doze(): void {
    const { timeline, dice } = this.#world;
    this.#isSlow = true;
    timeline.after(dice.around(1_500) * MS, () => {
      this.#isSlow = false;
      this.#atNode(follower => follower.onRoom());
    });
  }

  get isBroken(): boolean {
    return !this.node.isRunning || this.node.life !== this.#life;
  }

  get isGone(): boolean {
    return this.#isClosed || this.isBroken;
  }

  get isFull(): boolean {
    return this.#isSlow || this.#underWay > 8;
  }

  send(request: RequestOf<'watch'>): void {
    const { timeline, dice } = this.#world;
    timeline.after(100 + dice.around(300), () => {
      if (this.isBroken || this.#isClosed) return;
      const arrived = (outcome: Outcome) => this.#carry(() => this.#events.onOutcome(outcome));
      this.node.request(request, arrived, this);
    });
  }

  push(news: News): void {
    const push = JSON.parse(`{${news.text}}`) as Push;
    const { ledger, guard, trace, name } = this.#world;
    trace(() => `${this.node.id} tells ${name}: ${news.text.slice(0, 80)}`);
    guard(() => {
      const { rev: last } = ledger.model;
      if (push.rev === undefined || push.rev <= last) return;
      violated('nothing is shown before it is committed', `${this.node.id} tells of ${push.rev} of ${last}`);
    });
    this.#carry(() => this.#events.onPush(push));
  }

  /** Brings something to the client, in order. */
  #carry(take: () => void): void {
    const { timeline, dice, guard } = this.#world;
    this.#lastArrival = Math.max(this.#lastArrival, timeline.now + 100 + dice.around(300));
    this.#underWay += 1;
    timeline.after(this.#lastArrival - timeline.now, () => {
      this.#underWay -= 1;
      if (this.#isClosed) return;
      this.heardAt = timeline.now;
      guard(take);
      if (this.#underWay === 0) this.#atNode(follower => follower.onRoom());
    });
  }

  #atNode(tell: (follower: Follower) => void): void {
    if (this.isBroken) return;
    this.node.arrive(() => {
      for (const follower of [...this.#followers]) tell(follower);
    });
  }

  follow(follower: Follower): void {
    this.#followers.add(follower);
  }

  unfollow(follower: Follower): void {
    this.#followers.delete(follower);
  }

  /** The client goes; its node learns of that a little later. */
  close(): void {
    this.#isClosed = true;
    this.#atNode(follower => follower.onGone());
  }
}
