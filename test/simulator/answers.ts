import type { KeyChange, Request, RequestOf } from '../../src/wire/ops.ts';
import type { Outcome, Success } from '../../src/wire/reply.ts';
import { type Ledger, markOf } from './ledger.ts';
import { FAULT, violated } from './violation.ts';

/**
 * Judges each answer of a node against the ledger. Since every answer tells the revision that it is about, and the
 * ledger what each revision was, an answer is right when it shows that revision as it was, when that revision is
 * committed by now, and when it is none from before what any client knew when the request was sent (which is
 * linearizability, checked as it happens).
 */
export class Answers {
  readonly #ledger: Ledger;
  /** The highest revision that a client has been shown. */
  #shown = 0;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** What a request that is sent now must not fall behind. */
  get floor(): number {
    return this.#shown;
  }

  /** Looks at what a node answers; returns the revision that whoever gets the answer will know of. */
  judge(node: string, request: Request, outcome: Outcome, floor: number): number {
    if (!outcome.ok && outcome.error.code === 'INTERNAL')
      violated(FAULT, `${node}: ${outcome.error.message}`);
    if (request.op === 'get') return outcome.ok ? this.#judgeGet(node, request, outcome, floor) : 0;
    if (request.op === 'set' || request.op === 'remove')
      return this.#judgeChange(node, request, outcome, floor);
    return 0;
  }

  /** An answer has reached its client. */
  show(rev: number): void {
    this.#shown = Math.max(this.#shown, rev);
  }

  #judgeGet(node: string, { key, read }: RequestOf<'get'>, outcome: Success, floor: number): number {
    const { model } = this.#ledger;
    const { rev, value, mod, create, version } = outcome;
    if (rev > model.rev)
      violated('nothing is shown before it is committed', `${node} shows revision ${rev} of ${model.rev}`);
    const { value: expected, ...numbers } = model.at(key, rev);
    const isRight =
      value === expected && mod === numbers.mod && create === numbers.create && version === numbers.version;
    if (!isRight) {
      const words = `${node}: ${key} at ${rev} is ${JSON.stringify(outcome)}, not ${JSON.stringify(model.at(key, rev))}`;
      violated('a read shows the store as it was', words);
    }
    if (read === 'stale') return 0;
    if (rev < floor) {
      violated(
        'linearizable reads',
        `${node} shows ${key} at revision ${rev}, when ${floor} had been shown before`,
      );
    }
    return rev;
  }

  #judgeChange(node: string, request: KeyChange, outcome: Outcome, floor: number): number {
    const mark = markOf(request);
    const done = this.#ledger.doneOf(mark);
    const isConflict = !outcome.ok && outcome.error.code === 'CONFLICT';
    if (!outcome.ok && !isConflict) {
      if (outcome.error.definite) this.#ledger.forbid(mark, outcome.error.code);
      return 0;
    }
    if (done === undefined) {
      violated(
        'nothing is acknowledged before it is committed',
        `${node} answered ${mark}: ${JSON.stringify(outcome)}`,
      );
    }
    const { effect, index } = done;
    const isRight = outcome.ok
      ? effect.isDone &&
        outcome.rev === effect.rev &&
        outcome.removed === (request.op === 'remove' ? effect.removed : undefined)
      : !effect.isDone;
    if (!isRight) {
      const words = `${node} answered ${mark}: ${JSON.stringify(outcome)}, but entry ${index} did ${JSON.stringify(effect)}`;
      violated('the applied state is a function of the log alone', words);
    }
    if (effect.rev < floor) {
      violated(
        'linearizable changes',
        `${mark} took effect at revision ${effect.rev}, when ${floor} had been shown before`,
      );
    }
    return effect.rev;
  }
}
