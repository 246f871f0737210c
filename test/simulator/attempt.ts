import type { Request } from '../../src/wire/ops.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import type { Answers } from './answers.ts';
import type { Dice } from './dice.ts';
import { MS } from './event-loop.ts';
import { markOf } from './ledger.ts';
import type { SimNode } from './sim-node.ts';
import type { Timeline } from './timeline.ts';

/** What a client of a simulated world has to do with. */
export interface Surroundings {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly nodes: readonly SimNode[];
  readonly answers: Answers;
  /** Runs checks, and keeps what they find from whoever called. */
  readonly guard: (checks: () => void) => void;
  readonly trace: (text: () => string) => void;
}

/** How one request ended: with an answer; with none, so that nobody knows; or nobody was there to take it. */
export type End =
  | { readonly how: 'answered'; readonly outcome: Outcome }
  | { readonly how: 'lost' | 'refused'; readonly outcome?: undefined };

/** One request on its way to a node and back. */
export class Attempt {
  readonly #world: Surroundings;
  readonly #request: Request;
  readonly #node: SimNode;
  /** The revision that the answer must not fall behind. */
  readonly #floor: number;
  readonly #done: (end: End) => void;
  #isOver = false;

  constructor(world: Surroundings, request: Request, node: SimNode, floor: number, done: (end: End) => void) {
    this.#world = world;
    this.#request = request;
    this.#node = node;
    this.#floor = floor;
    this.#done = done;
  }

  send(): void {
    const { timeline, dice } = this.#world;
    const patience = (this.#request.timeout ?? 5_000) + 1_000;
    timeline.after(patience * MS, () => this.giveUp());
    timeline.after(100 + dice.around(300), () => {
      if (!this.#node.isRunning) {
        this.#end({ how: 'refused' });
        return;
      }
      const { life } = this.#node;
      this.#node.request(this.#request, outcome => this.#answered(outcome));
      this.#watchFor(life);
    });
  }

  /** Nobody will know what becomes of it. */
  giveUp(): void {
    this.#end({ how: 'lost' });
  }

  /** A connection that ends with its process tells the client within a while that no answer will come. */
  #watchFor(life: number): void {
    const { timeline, dice } = this.#world;
    timeline.after(200 * MS + dice.around(100 * MS), () => {
      if (this.#isOver) return;
      if (this.#node.life !== life || !this.#node.isRunning) this.giveUp();
      else this.#watchFor(life);
    });
  }

  #answered(outcome: Outcome): void {
    const { timeline, dice, answers, guard, trace } = this.#world;
    let rev = 0;
    guard(() => {
      rev = answers.judge(this.#node.id, this.#request, outcome, this.#floor);
    });
    trace(() => `${this.#node.id} answers ${nameOf(this.#request)}: ${textOf(outcome)}`);
    if (dice.chance(0.005)) return; // the connection breaks, and the answer is lost
    timeline.after(100 + dice.around(300), () => {
      if (!this.#isOver) answers.show(rev);
      this.#end({ how: 'answered', outcome });
    });
  }

  #end(end: End): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#done(end);
  }
}

function nameOf(request: Request): string {
  const { op, key = '', lease = '' } = request as { op: string; key?: string; lease?: number };
  return `${op} ${key}${lease} (${markOf(request) ?? ''})`;
}

function textOf(outcome: Outcome): string {
  if (!outcome.ok) return outcome.error.code;
  const { rev, mod, lease, session } = outcome;
  return JSON.stringify({ rev, mod, lease, session });
}
