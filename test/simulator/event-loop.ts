import type { Clock, Timer } from '../../src/ports/clock.ts';
import type { Dice } from './dice.ts';
import type { Timeline } from './timeline.ts';

/** Microseconds of a millisecond. */
export const MS = 1_000;

export interface EventLoopOptions {
  readonly timeline: Timeline;
  readonly dice: Dice;
  /** How fast the node's clock runs: 1 is right. */
  readonly rate: number;
  /** Is told what a callback threw. */
  readonly onThrow: (error: unknown) => void;
  /** After each callback. */
  readonly onRan: () => void;
}

/**
 * The event loop of one simulated process. Callbacks run one at a time; what is to run `soon` runs together, a
 * little later, as after a poll of Node's. A process that is paused misses nothing: what was due meanwhile runs
 * when it goes on, and as on Node its timers run before it has seen anything of what others sent (each of them
 * once, however often it was due).
 */
export class EventLoop {
  readonly clock: Clock;
  readonly #options: EventLoopOptions;
  readonly #startedAt: number;
  #isOver = false;
  #isPaused = false;
  #soon: (() => void)[] = [];
  #isCheckDue = false;
  #lateTimers: (() => void)[] = [];
  #lateArrivals: (() => void)[] = [];

  constructor(options: EventLoopOptions) {
    this.#options = options;
    this.#startedAt = options.timeline.now;
    this.clock = {
      now: () => ((options.timeline.now - this.#startedAt) / MS) * options.rate,
      soon: run => this.#runSoon(run),
      after: (milliseconds, run) => this.#timer(milliseconds, run, false),
      every: (milliseconds, run) => this.#timer(milliseconds, run, true),
    };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Something came from outside: from a socket, or from the disk. */
  arrive(run: () => void): void {
    if (this.#isOver) return;
    if (this.#isPaused) this.#lateArrivals.push(run);
    else this.#run(run);
  }

  /** The process is no more, and nothing of it ever runs again. */
  end(): void {
    this.#isOver = true;
    this.#soon = [];
    this.#lateTimers = [];
    this.#lateArrivals = [];
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** Goes on: timers, some of what has arrived, what was to run soon, and the rest. */
  resume(): void {
    if (!this.#isPaused || this.#isOver) return;
    this.#isPaused = false;
    const timers = this.#lateTimers;
    const arrivals = this.#lateArrivals;
    this.#lateTimers = [];
    this.#lateArrivals = [];
    for (const run of timers) this.#run(run);
    const seen = this.#options.dice.below(arrivals.length + 1);
    for (const run of arrivals.slice(0, seen)) this.#run(run);
    if (this.#soon.length > 0) this.#check();
    for (const run of arrivals.slice(seen)) this.#run(run);
  }

  #run(run: () => void): void {
    if (this.#isOver) return;
    try {
      run();
    } catch (error) {
      this.#options.onThrow(error);
    }
    this.#options.onRan();
  }

  #runSoon(run: () => void): void {
    if (this.#isOver) return;
    this.#soon.push(run);
    if (this.#isCheckDue) return;
    this.#isCheckDue = true;
    const { timeline, dice } = this.#options;
    timeline.after(20 + dice.around(60), () => {
      if (!this.#isPaused) this.#check();
    });
  }

  #check(): void {
    this.#isCheckDue = false;
    const soon = this.#soon;
    this.#soon = [];
    for (const run of soon) this.#run(run);
  }

  #timer(milliseconds: number, run: () => void, isRepeated: boolean): Timer {
    const { timeline, dice, rate } = this.#options;
    let isStopped = false;
    const fire = () => {
      if (isStopped) return;
      if (isRepeated) arm();
      run();
    };
    const arm = () => {
      timeline.after((milliseconds / rate) * MS + dice.below(1_000), () => {
        if (isStopped || this.#isOver) return;
        if (this.#isPaused) this.#lateTimers.push(fire);
        else this.#run(fire);
      });
    };
    arm();
    return {
      stop: () => {
        isStopped = true;
      },
    };
  }
}
