import { checkLinearizable } from '../shared/linearizability.ts';
import type { Operation } from '../shared/register.ts';
import type { Ledger } from './ledger.ts';
import { violated } from './violation.ts';

/** How the operations of a run ended. */
export interface Tally {
  done: number;
  conflict: number;
  unknown: number;
  /** Refused for certain. */
  refused: number;
  stale: number;
}

/** All operations of a run, as their clients saw them. */
export class History {
  readonly #operations: Operation[] = [];
  /** The marks of changes of unknown outcome. */
  readonly #marks = new Map<Operation, string>();

  add(operation: Operation, mark: string | undefined): void {
    this.#operations.push(operation);
    if (mark !== undefined && operation.result.kind === 'unknown') this.#marks.set(operation, mark);
  }

  /**
   * Asks a checker that knows nothing of logs whether the history is linearizable. What a client never learnt the
   * ledger knows by now: without that, hundreds of operations that may have happened at any time are beyond a search.
   * A search that is given up counts as a failure. Returns how many steps it took.
   */
  check(ledger: Ledger): number {
    const verdict = checkLinearizable(this.#operations.map(operation => this.#settled(operation, ledger)));
    if (!verdict.ok) violated('linearizable histories', verdict.explanation);
    return verdict.steps;
  }

  #settled(operation: Operation, ledger: Ledger): Operation {
    const mark = this.#marks.get(operation);
    if (mark === undefined) return operation;
    const done = ledger.doneOf(mark);
    if (done === undefined) return { ...operation, result: { kind: 'failed' } };
    const { effect, at: returned } = done;
    const { code, fields } = effect.told;
    if (code === 'CONFLICT') return { ...operation, returned, result: { kind: 'conflict' } };
    if (code !== undefined) return { ...operation, result: { kind: 'failed' } };
    const { op } = operation.action;
    const result = op === 'set' ? { mod: Number(fields.mod) } : { removed: Number(fields.removed) };
    return { ...operation, returned, result: { kind: 'ok', ...result } };
  }
}
