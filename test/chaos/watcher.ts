import type { Reply } from '../shared/line-client.ts';
import { type Client, pause } from './caller.ts';
import type { ClientOptions } from './clients.ts';
import { Wire } from './wire.ts';

/** Milliseconds between two tries to watch. */
const BETWEEN = 50;
/** The prefix of every key, so that every revision has something to tell. */
const EVERYTHING = '';

/** Milliseconds that a watcher has to hear of the last change. */
const PATIENCE = 20_000;

/**
 * Watches everything there is, at one node until that is gone, and goes on at another from where it was: whatever
 * happens to the cluster, it must be told of every revision, once, whole, and in order.
 */
export class Watcher implements Client {
  readonly name: string;
  readonly #options: ClientOptions;
  readonly #running: Promise<void>;
  /** What changed at each revision since the first, by key. */
  readonly told = new Map<number, Map<string, { readonly type: string; readonly value: unknown }>>();
  #first: number | undefined;
  #last = 0;
  #isOpen = false;
  #isStopped = false;
  #watch: unknown;
  /** What came in one piece with the answer to `watch`, which tells where it begins; undefined once that is known. */
  #early: Reply[] | undefined;

  constructor(options: ClientOptions) {
    this.name = options.name;
    this.#options = options;
    this.#running = this.#run();
  }

  /** The revision before the first that it was told of, and the last. */
  get range(): readonly [after: number, last: number] {
    return [this.#first ?? this.#last, this.#last];
  }

  /** Waits until it has heard of a revision; false when it does not. */
  async hears(rev: number): Promise<boolean> {
    for (const end = performance.now() + PATIENCE; this.#last < rev; await pause(BETWEEN)) {
      if (performance.now() > end) return false;
    }
    return true;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const { dice, history } = this.#options;
    while (!this.#isStopped) {
      const wire = new Wire(dice.pick(this.#options.addresses()), push => this.#pushed(push));
      // The first time from now on, and then from where it was.
      const from = this.#first === undefined ? {} : { from: this.#last + 1 };
      this.#isOpen = true;
      this.#early = [];
      const answer = await wire.ask({ op: 'watch', prefix: EVERYTHING, ...from, timeout: 1_000 });
      history.count('watch', answer);
      if (typeof answer === 'string' || !answer.ok) this.#isOpen = false;
      else this.#began(answer);
      while (this.#isOpen && wire.isUp && !this.#isStopped) {
        await pause(BETWEEN);
        // Now and then it moves on although nothing is wrong.
        if (dice.chance(0.003)) break;
      }
      wire.close();
      await pause(BETWEEN);
    }
  }

  #began(answer: Reply): void {
    this.#watch = answer.watch;
    if (this.#first === undefined) {
      this.#first = Number(answer.rev);
      this.#last = this.#first;
    }
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const push of early) this.#pushed(push);
  }

  #pushed(push: Reply): void {
    const { verdicts } = this.#options;
    if (this.#early !== undefined) {
      this.#early.push(push);
      return;
    }
    if (push.error !== undefined) {
      this.#isOpen = false;
      verdicts.check('a watch tells what can be read', false, `${this.name}: ${JSON.stringify(push.error)}`);
      return;
    }
    if (push.closed !== undefined) {
      this.#isOpen = false;
      const words = `${this.name}: ${JSON.stringify(push)}`;
      verdicts.check('no watch falls behind what is remembered', push.closed.code !== 'COMPACTED', words);
      return;
    }
    if (push.progress === true) return;
    const rev = Number(push.rev);
    const words = `${this.name} (watch ${this.#watch}): revision ${rev} after ${this.#last}`;
    verdicts.check('a watch tells of every revision, once and in order', rev === this.#last + 1, words);
    this.#last = rev;
    const changes = new Map<string, { readonly type: string; readonly value: unknown }>();
    for (const { type, key, value, mod } of push.events) {
      const isRight = mod === undefined || type !== 'set' || mod === rev;
      verdicts.check('an event has the revision of its push', isRight, JSON.stringify(push));
      changes.set(key, { type, value });
    }
    this.told.set(rev, changes);
  }
}
