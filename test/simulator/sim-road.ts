import type { Dice } from './dice.ts';
import type { Timeline } from './timeline.ts';

/** How a way between two machines behaves. Times in microseconds, the rest probabilities. */
export interface Weather {
  readonly delay: number;
  readonly loss: number;
  readonly duplication: number;
  readonly reordering: number;
}

export const FAIR: Weather = { delay: 400, loss: 0, duplication: 0, reordering: 0 };

/** The network from one machine to another: what becomes of all that is sent over it. */
export class SimRoad {
  weather: Weather = FAIR;
  readonly #timeline: Timeline;
  readonly #dice: Dice;
  #isCut = false;
  /** While it is cut: what waits for the cut to be mended, when it waits. */
  #held: (() => void)[] | undefined;
  #lastArrival = 0;
  /** Ends the connection that uses it, if one does. */
  onBreak: () => void = () => {};

  constructor(timeline: Timeline, dice: Dice) {
    this.#timeline = timeline;
    this.#dice = dice;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Nothing gets through any more. With `holds` it waits for `mend`, and else it is lost. */
  cut(holds: boolean): void {
    this.#isCut = true;
    this.#held ??= holds ? [] : undefined;
  }

  mend(): void {
    this.#isCut = false;
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const go of held) go();
  }

  /** Whoever uses it finds the connection broken. */
  break(): void {
    this.onBreak();
  }

  /** Something goes its way, and arrives, if it does: not in order, and twice, where the weather is bad. */
  carry(isFragile: boolean, arrive: () => void): void {
    const isTwice = isFragile && this.#dice.chance(this.weather.duplication);
    if (isFragile && this.#dice.chance(this.weather.loss)) return;
    this.#travel(arrive);
    if (isTwice) this.#travel(arrive);
  }

  #travel(arrive: () => void): void {
    if (this.#isCut) {
      this.#held?.push(() => this.#travel(arrive));
      return;
    }
    let at = this.#timeline.now + this.delay();
    if (this.#dice.chance(this.weather.reordering)) at += this.#dice.around(this.weather.delay * 20);
    else at = Math.max(at, this.#lastArrival);
    this.#lastArrival = Math.max(at, this.#lastArrival);
    this.#timeline.after(at - this.#timeline.now, arrive);
  }

  /** Microseconds that something takes. */
  delay(): number {
    return this.weather.delay / 2 + this.#dice.around(this.weather.delay);
  }

  /** True now and then, for what chance decides beside the weather. */
  chance(probability: number): boolean {
    return this.#dice.chance(probability);
  }
}
