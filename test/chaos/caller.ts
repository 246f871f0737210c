import type { Random } from '../shared/random.ts';
import { type Answer, type Line, Wire } from './wire.ts';

/** Milliseconds that a client rests after an answer that helps it not. */
const REST = 30;

export const pause = (milliseconds: number) =>
  new Promise<void>(resolve => setTimeout(resolve, milliseconds));

/** A client's way to the cluster: one node, until that disappoints it, and then another. */
export class Caller {
  readonly #addresses: () => readonly string[];
  readonly #dice: Random;
  #wire: Wire | undefined;

  constructor(addresses: () => readonly string[], dice: Random) {
    this.#addresses = addresses;
    this.#dice = dice;
  }

  /** Asks once; what the answer is worth is the caller's to judge. */
  async ask(request: Line): Promise<Answer> {
    this.#wire ??= new Wire(this.#dice.pick(this.#addresses()));
    const wire = this.#wire;
    const answer = await wire.ask(request);
    const isOver = isDisappointing(answer) || this.#dice.chance(0.01);
    if (isOver && this.#wire === wire) this.#wire = undefined;
    if (this.#wire !== wire && !wire.isBusy) wire.close();
    if (isOver) await pause(this.#dice.below(REST));
    return answer;
  }

  close(): void {
    this.#wire?.close();
  }
}

/** Whether the node could not do what it was asked, for no fault of the request. */
function isDisappointing(answer: Answer): boolean {
  return typeof answer === 'string' || (!answer.ok && answer.error?.code !== 'CONFLICT');
}

/** Something that goes on until it is told to stop. */
export interface Client {
  stop(): Promise<void>;
}

/** Does one thing after the other, as many at a time as it is told, until it is stopped; then calls `end`. */
export function looping(step: () => Promise<void>, depth = 1, end: () => void = () => {}): Client {
  let isStopped = false;
  const run = async () => {
    while (!isStopped) await step();
  };
  const runs = Promise.all(Array.from({ length: depth }, run)).then(end);
  return {
    stop: () => {
      isStopped = true;
      return runs;
    },
  };
}
