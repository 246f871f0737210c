import type { Call } from './call.ts';
import type { Link } from './link.ts';

/** Calls that are on no connection at the moment: those to be sent, in order, and those that wait before they are. */
export class Outbox {
  #queue: Call[] = [];
  readonly #paused = new Set<Call>();
  #nextId = 1;
  /** Requests of our own count downwards, so that the caller's have the numbers that they would have without. */
  #nextOwnId = -1;

  /** Calls to be sent now. */
  get size(): number {
    return this.#queue.length;
  }

  /** Nothing is to be sent now. */
  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Nothing is to be sent, now or later. */
  get isIdle(): boolean {
    return this.isEmpty && this.#paused.size === 0;
  }

  /** Whether all that is to be sent now may be sent again, whatever becomes of it. */
  get isRepeatable(): boolean {
    return this.#queue.every(call => call.isRepeatable || call.isSettled);
  }

  push(call: Call): void {
    this.#queue.push(call);
  }

  /** Keeps a call until its `notBefore`. */
  pause(call: Call): void {
    this.#paused.add(call);
  }

  /** A number for a request of our own. */
  ownId(): number {
    const id = this.#nextOwnId;
    this.#nextOwnId -= 1;
    return id;
  }

  /** Sends while there is room; the rest waits for `drained`, and so do its callers' promises. */
  sendTo(link: Link): void {
    const now = performance.now();
    const queue = this.#queue;
    let room = link.room;
    let text = '';
    let at = 0;
    for (; at < queue.length && room > 0; at += 1) {
      const call = queue[at];
      if (call === undefined || call.isSettled) continue;
      const line = this.#lineOf(call, link, now);
      room -= line.length;
      text += line;
    }
    this.#queue = at === queue.length ? [] : queue.slice(at);
    if (text !== '') link.write(text);
  }

  /** Sends a request of our own before all that waits. */
  sendOne(call: Call, link: Link): void {
    link.write(this.#lineOf(call, link, performance.now()));
  }

  #lineOf(call: Call, link: Link, now: number): string {
    const id = call.isOwn ? this.ownId() : this.#nextId++;
    const line = call.line(id, now);
    link.inFlight.set(id, call);
    return line;
  }

  /** Takes out those whose pause is over. */
  rested(now: number): Call[] {
    const rested = [...this.#paused].filter(call => call.isSettled || call.notBefore <= now);
    for (const call of rested) this.#paused.delete(call);
    return rested.filter(call => !call.isSettled);
  }

  /** Those whose time is up before they were sent. */
  overdue(now: number): Call[] {
    return this.#queue.filter(call => !call.isSettled && call.deadline <= now);
  }

  /** Forgets what is settled. */
  tidy(): void {
    this.#queue = this.#queue.filter(call => !call.isSettled);
  }

  /** Takes out all that are to be sent now. */
  takeQueue(): Call[] {
    const queue = this.#queue;
    this.#queue = [];
    return queue;
  }

  /** Takes out all. */
  takeAll(): Call[] {
    const all = [...this.takeQueue(), ...this.#paused];
    this.#paused.clear();
    return all;
  }
}
