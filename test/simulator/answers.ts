import { isDeepStrictEqual } from 'node:util';
import type { ChangeRequest, Request, RequestOf } from '../../src/wire/ops.ts';
import type { Outcome, Success } from '../../src/wire/reply.ts';
import { type Ledger, markOf } from './ledger.ts';
import type { Told } from './model.ts';
import { FAULT, violated } from './violation.ts';

/** Errors that the store itself gives, so that an entry of the log has to stand behind each. */
const OF_THE_STORE: ReadonlySet<string> = new Set([
  'CONFLICT',
  'LEASE_NOT_FOUND',
  'SESSION_EXPIRED',
  'BAD_REQUEST',
]);

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
  /** Leases and sessions that somebody was given. */
  readonly #given = new Set<string>();

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
    switch (request.op) {
      case 'get':
      case 'list':
        return outcome.ok ? this.#judgeRead(node, request, outcome, floor) : 0;
      case 'set':
      case 'remove':
      case 'txn':
      case 'grant':
      case 'renew':
      case 'revoke':
      case 'session':
        return this.#judgeChange(node, request, outcome, floor);
      default:
        return 0;
    }
  }

  /** An answer has reached its client. */
  show(rev: number): void {
    this.#shown = Math.max(this.#shown, rev);
  }

  #judgeRead(
    node: string,
    request: RequestOf<'get'> | RequestOf<'list'>,
    outcome: Success,
    floor: number,
  ): number {
    const { model } = this.#ledger;
    const { rev } = outcome;
    if (rev > model.rev)
      violated('nothing is shown before it is committed', `${node} shows revision ${rev} of ${model.rev}`);
    const expected = this.#expected(request, rev);
    if (!holds(outcome, expected)) {
      const words = `${node} at ${rev}: ${JSON.stringify(outcome)}, not ${JSON.stringify(expected)}`;
      violated('a read shows the store as it was', words);
    }
    if (request.read === 'stale') return 0;
    if (rev < floor) {
      violated(
        'linearizable reads',
        `${node} shows ${JSON.stringify(request)} at revision ${rev}, when ${floor} had been shown before`,
      );
    }
    return rev;
  }

  /** What a read has to tell of a revision. */
  #expected(request: RequestOf<'get'> | RequestOf<'list'>, rev: number): Told['fields'] {
    const { model } = this.#ledger;
    if (request.op === 'get') return { lease: undefined, ...model.at(request.key, rev) };
    return { keys: model.keys(request.prefix ?? '', rev), next: null };
  }

  #judgeChange(node: string, request: ChangeRequest, outcome: Outcome, floor: number): number {
    const mark = markOf(request);
    if (!outcome.ok && !OF_THE_STORE.has(outcome.error.code)) {
      // What is sent again under a session may be done by one of the other times.
      const isFinal = outcome.error.definite && request.session === undefined;
      if (isFinal && mark !== undefined) this.#ledger.forbid(mark, outcome.error.code);
      return 0;
    }
    if (mark === undefined) return this.#judgeOpening(node, request, outcome, floor);
    const all = this.#ledger.allOf(mark);
    if (all.length === 0) {
      violated(
        'nothing is acknowledged before it is committed',
        `${node} answered ${mark}: ${JSON.stringify(outcome)}`,
      );
    }
    const fitting = all.filter(({ effect }) => fits(outcome, effect.told));
    const entries = all.map(({ index, effect }) => `entry ${index} did ${JSON.stringify(effect)}`).join('; ');
    if (fitting.length === 0) {
      violated(
        'the applied state is a function of the log alone',
        `${node} answered ${mark}: ${JSON.stringify(outcome)}, but ${entries}`,
      );
    }
    const rev = Math.max(...fitting.map(({ effect }) => effect.rev));
    if (rev < floor) {
      const words = `${mark} took effect at revision ${rev}, when ${floor} had been shown before`;
      violated('linearizable changes', words);
    }
    return rev;
  }

  /** A lease or a session that was asked for without a session: its number tells which it is. */
  #judgeOpening(node: string, request: ChangeRequest, outcome: Outcome, floor: number): number {
    if (!outcome.ok || (request.op !== 'grant' && request.op !== 'session')) return 0;
    const what = request.op === 'grant' ? `lease ${outcome.lease}` : `session ${outcome.session}`;
    const effect = this.#ledger.openedAs(what);
    if (effect === undefined || !fits(outcome, effect.told) || outcome.ttl !== request.ttl) {
      violated('nothing is acknowledged before it is committed', `${node}: ${JSON.stringify(outcome)}`);
    }
    if (this.#given.has(what)) violated('a number is given once', `${node} gave ${what} again`);
    this.#given.add(what);
    if (effect.rev < floor)
      violated(
        'linearizable changes',
        `${what} at revision ${effect.rev}, when ${floor} had been shown before`,
      );
    return effect.rev;
  }
}

function fits(outcome: Outcome, { code, fields }: Told): boolean {
  if (outcome.ok) return code === undefined && holds(outcome, fields);
  return outcome.error.code === code && holds(outcome.error, fields);
}

/** Whether all that is expected is there, as it should be. */
function holds(found: Readonly<Record<string, unknown>>, expected: Told['fields']): boolean {
  return Object.keys(expected).every(name => isDeepStrictEqual(found[name], expected[name]));
}
