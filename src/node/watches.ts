import type { Store } from '../kv/store.ts';
import type { Clock } from '../ports/clock.ts';
import { type Failure, failure } from '../wire/errors.ts';
import type { RequestOf, WatchRequest } from '../wire/ops.ts';
import { failed } from '../wire/reply.ts';
import type { Client, Follower } from './client.ts';
import { EventTexts } from './event-texts.ts';
import { News } from './news.ts';
import type { Responder } from './server.ts';
import { WatchGroups } from './watch-groups.ts';
import { type ClusterWatcher, Watcher } from './watcher.ts';

/** Characters of events that a watcher may owe to its client before it is closed. */
const MOST_OWED = 8_388_608;
/** Watches that one connection may have. */
const MOST_WATCHES = 10_000;
/** Milliseconds without news after which a watcher is told how far it has come. */
const PROGRESS = 10_000;
/** Milliseconds between two looks at who is due to be told so. */
const LOOK = 500;
/** Milliseconds of telling in one turn. */
const SLICE = 10;
/** Revisions that one watcher behind the others goes through before the next has its turn. */
const STRIDE = 64;

export interface WatchesOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Does something once all is applied here that is committed now, or answers why that cannot be. */
  readonly confirm: (responder: Responder, run: () => void) => void;
  /** Whether more may be committed than is applied here even then: there is a leader elsewhere, and no way to ask it. */
  readonly mayLag: () => boolean;
  /** The cluster as it is now, as events. */
  readonly cluster: () => readonly object[];
  /** Why nothing will be heard of here any more, once that is so. */
  readonly farewell: () => Failure | undefined;
}

/** The watches of one connection. */
interface Audience extends Follower {
  readonly watchers: Map<number, Watcher | ClusterWatcher>;
  /** The last number that was given. */
  last: number;
}

/**
 * Watches: who is told what of each revision, by every node from its own applied state, and so never anything that is
 * not committed.
 *
 * Applying never waits for this: it only notes that there is something to tell, and telling happens in turns of its
 * own, a slice at a time. Those who are level with each other are told one revision after the other, each written down
 * once for all who watch the same. Whoever begins in the past, or does not take what it is told, falls behind, and goes
 * through the history by itself as fast as it takes it: the history is the buffer of all, so that none needs its own. A
 * watcher that owes too much, or that the history has left behind, is closed, and told where to go on.
 */
export class Watches {
  readonly #options: WatchesOptions;
  readonly #audiences = new Map<Client, Audience>();
  readonly #groups = new WatchGroups();
  readonly #texts = new EventTexts();
  readonly #clusterWatchers = new Set<ClusterWatcher>();
  readonly #behind = new Set<Watcher>();
  #count = 0;
  /** The last revision that those who are level have been told, or are being told by `#telling`. */
  #told: number;
  #telling: Iterator<unknown> | undefined;
  #isDue = false;
  #lookedAt = 0;

  constructor(options: WatchesOptions) {
    this.#options = options;
    this.#told = options.store.rev;
  }

  get count(): number {
    return this.#count;
  }

  take(request: WatchRequest, responder: Responder): void {
    const { client } = responder;
    const farewell = this.#options.farewell();
    if (client === undefined) {
      responder.answer(
        failed(failure('BAD_REQUEST', `${request.op} is for the node that a client talks to`)),
      );
    } else if (request.op === 'unwatch') this.#unwatch(client, request.watch, responder);
    else if ((this.#audiences.get(client)?.watchers.size ?? 0) >= MOST_WATCHES) {
      const words = `this connection has ${MOST_WATCHES} watches already; end some, or open another connection`;
      responder.answer(failed(failure('BUSY', words)));
    } else if (farewell !== undefined) responder.answer(failed(farewell));
    else if (request.cluster) this.#watchCluster(client, responder);
    else this.#watch(client, request, responder);
  }

  #unwatch(client: Client, number: number, responder: Responder): void {
    const watcher = this.#audiences.get(client)?.watchers.get(number);
    if (watcher === undefined) {
      const words = `there is no watch ${number} on this connection; it may have been closed`;
      responder.answer(failed(failure('BAD_REQUEST', words, { field: 'watch' })));
      return;
    }
    this.#remove(watcher);
    responder.answer({ ok: true, rev: this.#options.store.rev });
  }

  #watch(client: Client, request: RequestOf<'watch'>, responder: Responder): void {
    const { store, confirm } = this.#options;
    // What comes from now on, and what this node has yet to hear of, take a word with the leader.
    if (request.from === undefined || request.from > store.rev + 1) {
      confirm(responder, () => this.#open(client, request, responder));
    } else this.#open(client, request, responder);
  }

  #open(
    client: Client,
    { key, prefix = '', from, prev = false }: RequestOf<'watch'>,
    responder: Responder,
  ): void {
    const { store, clock, mayLag } = this.#options;
    const { rev, history } = store;
    const next = Math.max(1, from ?? rev + 1);
    if (next <= history.compacted) responder.answer(failed(compacted(history.compacted)));
    else if (next > rev + 1) responder.answer(failed(future(rev, mayLag())));
    else {
      const number = this.#number(client);
      responder.answer({ ok: true, rev, watch: number }, () => {
        const audience = this.#audiences.get(client);
        if (audience === undefined) return; // it has gone meanwhile
        const group = this.#groups.of({ key, prefix, prev });
        const watcher = new Watcher(client, number, group, next, clock.now());
        this.#add(audience, watcher);
        group.watchers.add(watcher);
        this.#behind.add(watcher);
        this.#wake();
      });
    }
  }

  #watchCluster(client: Client, responder: Responder): void {
    const { store, clock, cluster } = this.#options;
    const number = this.#number(client);
    responder.answer({ ok: true, rev: store.rev, watch: number }, () => {
      const audience = this.#audiences.get(client);
      if (audience === undefined) return;
      const watcher: ClusterWatcher = { client, number, toldAt: clock.now() };
      this.#add(audience, watcher);
      this.#clusterWatchers.add(watcher);
      client.push(new News({ events: cluster() }), number);
    });
  }

  #number(client: Client): number {
    let audience = this.#audiences.get(client);
    if (audience === undefined) {
      audience = {
        watchers: new Map(),
        last: 0,
        onRoom: () => this.#wake(),
        onGone: () => this.#leave(client),
        onShutDown: () => this.#sayGoodbye(client),
      };
      this.#audiences.set(client, audience);
      client.follow(audience);
    }
    audience.last += 1;
    return audience.last;
  }

  #add({ watchers }: Audience, watcher: Watcher | ClusterWatcher): void {
    watchers.set(watcher.number, watcher);
    this.#count += 1;
  }

  #remove(watcher: Watcher | ClusterWatcher): void {
    if (!this.#audiences.get(watcher.client)?.watchers.delete(watcher.number)) return;
    this.#count -= 1;
    if (!(watcher instanceof Watcher)) {
      this.#clusterWatchers.delete(watcher);
      return;
    }
    this.#behind.delete(watcher);
    watcher.group.watchers.delete(watcher);
    this.#groups.release(watcher.group);
  }

  #leave(client: Client): void {
    const audience = this.#audiences.get(client);
    for (const watcher of [...(audience?.watchers.values() ?? [])]) this.#remove(watcher);
    this.#audiences.delete(client);
  }

  /** Something may have been applied. */
  turned(): void {
    if (this.#count === 0) this.#told = this.#options.store.rev;
    else if (this.#told < this.#options.store.rev) this.#wake();
  }

  /** A node that applies much in one turn must not compact what nobody has been told yet. */
  keepUp(): void {
    const { history } = this.#options.store;
    if (history.last - this.#told < history.bounds.revisions / 2) return;
    if (this.#count === 0) this.#told = history.last;
    else this.#forAWhile(() => this.#tellNext());
  }

  /** Tells everyone who watches the cluster what has changed about it. */
  clusterChanged(events: readonly object[]): void {
    if (this.#clusterWatchers.size === 0) return;
    const news = new News({ events });
    for (const watcher of this.#clusterWatchers) {
      watcher.toldAt = this.#options.clock.now();
      if (watcher.client.isFull) this.#close(watcher, tooSlow());
      else watcher.client.push(news, watcher.number);
    }
  }

  #wake(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#options.clock.soon(() => {
      this.#isDue = false;
      this.#run();
    });
  }

  /** Tells for a while, and goes on in a later turn when there is more. */
  #run(): void {
    const isLevelDone = this.#forAWhile(() => this.#tellNext());
    const isBehindDone = this.#forAWhile(() => this.#catchUpAll());
    if (!isLevelDone || !isBehindDone) this.#wake();
  }

  /** Does something again and again until nothing is left of it, or time is up: then it is false. */
  #forAWhile(step: () => boolean): boolean {
    const { clock } = this.#options;
    const end = clock.now() + SLICE;
    while (step()) if (clock.now() >= end) return false;
    return true;
  }

  /** Tells the next of those who are level; false when all have been told everything. */
  #tellNext(): boolean {
    const { store } = this.#options;
    if (this.#telling === undefined) {
      if (this.#told >= store.rev) return false;
      this.#telling = this.#tellings(this.#told + 1);
      this.#told += 1;
    }
    if (this.#telling.next().done) this.#telling = undefined;
    return true;
  }

  /** Tells everyone a revision, one after the other. Who joins meanwhile has a later one to begin with. */
  *#tellings(rev: number): Generator<void> {
    const { history } = this.#options.store;
    const revision = history.at(rev);
    if (revision === undefined) {
      this.#closeCompacted(rev);
      return;
    }
    for (const [group, events] of this.#groups.concernedBy(revision)) {
      const news = this.#texts.newsOf(rev, events, group.selection.prev);
      for (const watcher of group.watchers) {
        this.#tell(watcher, rev, news);
        yield;
      }
    }
  }

  #tell(watcher: Watcher, rev: number, news: News): void {
    if (watcher.next > rev || watcher.isReplaying) return;
    if (!watcher.isBehind && watcher.client.isFull) {
      watcher.isBehind = true;
      watcher.next = rev;
      this.#behind.add(watcher);
    }
    if (!watcher.isBehind) {
      watcher.tell(news, this.#options.clock.now());
      return;
    }
    watcher.owed += news.text.length;
    if (watcher.owed > MOST_OWED) this.#close(watcher, tooSlow(watcher.next));
  }

  /** Brings each of those behind forward a little; false when that moved none. */
  #catchUpAll(): boolean {
    let hasMoved = false;
    for (const watcher of this.#behind) if (this.#catchUp(watcher)) hasMoved = true;
    return hasMoved;
  }

  /** Goes through the history with one watcher for a while; false when that moves nothing. */
  #catchUp(watcher: Watcher): boolean {
    const { store, clock } = this.#options;
    for (let steps = 0; watcher.next <= this.#told; steps += 1) {
      if (watcher.client.isFull) return steps > 0;
      if (steps === STRIDE) return true;
      const revision = store.history.at(watcher.next);
      if (revision === undefined) {
        this.#close(watcher, tooSlow(watcher.next));
        return true;
      }
      const { group, next } = watcher;
      const events = group.select(revision);
      watcher.next += 1;
      if (events.length === 0) continue;
      const news = this.#texts.newsOf(next, events, group.selection.prev);
      watcher.owed = Math.max(0, watcher.owed - news.text.length);
      watcher.tell(news, clock.now());
    }
    watcher.isBehind = false;
    watcher.isReplaying = false;
    watcher.owed = 0;
    this.#behind.delete(watcher);
    return true;
  }

  /** A revision is gone before those who are level were told of it. */
  #closeCompacted(rev: number): void {
    const { history } = this.#options.store;
    for (const { watchers } of [...this.#audiences.values()]) {
      for (const watcher of [...watchers.values()]) {
        const isLost = watcher instanceof Watcher && !watcher.isBehind && watcher.next <= rev;
        if (isLost) this.#close(watcher, compacted(history.compacted));
      }
    }
    this.#told = Math.max(this.#told, history.compacted);
  }

  #close(watcher: Watcher | ClusterWatcher, reason: Failure): void {
    this.#remove(watcher);
    const { definite, retry, ...closed } = reason;
    watcher.client.push(new News({ closed }), watcher.number);
  }

  /** This node stops: tells a client where to go on. */
  #sayGoodbye(client: Client): void {
    this.#end(client, failure('SHUTTING_DOWN', 'this node is shutting down; watch at another'));
  }

  /** Ends the watches of a client, and tells it from where to go on. */
  #end(client: Client, reason: Failure): void {
    while (this.#telling !== undefined) this.#tellNext();
    for (const watcher of [...(this.#audiences.get(client)?.watchers.values() ?? [])]) {
      const resume = watcher instanceof Watcher ? { resume: this.#resumeOf(watcher) } : {};
      this.#close(watcher, { ...reason, ...resume });
    }
  }

  /** The first revision that a watcher was not told of. */
  #resumeOf({ isBehind, next }: Watcher): number {
    return isBehind ? next : Math.max(next, this.#told + 1);
  }

  /** Tells those who have heard nothing for long how far they have come. Called every so often. */
  sweep(): void {
    const farewell = this.#options.farewell();
    if (farewell !== undefined) for (const client of [...this.#audiences.keys()]) this.#end(client, farewell);
    const now = this.#options.clock.now();
    if (now - this.#lookedAt < LOOK || this.#telling !== undefined) return;
    this.#lookedAt = now;
    const news = new News({ rev: this.#told, progress: true });
    for (const { watchers } of this.#audiences.values()) {
      for (const watcher of watchers.values()) {
        if (now - watcher.toldAt < PROGRESS || watcher.client.isFull) continue;
        if (watcher instanceof Watcher && watcher.isBehind) continue;
        watcher.toldAt = now;
        watcher.client.push(news, watcher.number);
      }
    }
  }
}

function compacted(rev: number): Failure {
  const words = `revisions up to ${rev} are compacted; list again, then watch from its rev + 1`;
  return failure('COMPACTED', words, { compacted: rev });
}

/** `mayPass`: this node may be behind, and so the revision may be there the next time. */
function future(rev: number, mayPass: boolean): Failure {
  const words = `the store is at revision ${rev}; watch from ${rev + 1} at most`;
  if (!mayPass) return failure('FUTURE_REV', words, { rev });
  return failure('FUTURE_REV', `${words}, or try again: this node may be behind`, { rev, retry: true });
}

function tooSlow(resume?: number): Failure {
  const words = 'this watch was not read fast enough, and has ended';
  if (resume === undefined) return failure('SLOW_CONSUMER', `${words}; watch again`);
  return failure('SLOW_CONSUMER', `${words}; read faster, and watch from ${resume}`, { resume });
}
