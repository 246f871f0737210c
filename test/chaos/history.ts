import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Reply } from '../shared/line-client.ts';
import type { Action, Operation, Result } from '../shared/register.ts';
import type { Answer } from './wire.ts';

/** A change with a key of its own, which nobody else writes. */
export interface Insertion {
  readonly key: string;
  readonly value: string;
  readonly outcome: 'done' | 'failed' | 'unknown';
  /** Its revision, where it was told. */
  readonly mod: number;
  readonly invoked: number;
  readonly returned: number;
}

/** An answer that shows a revision: of a change its own, of a linearizable read the store's. */
export interface Sight {
  readonly kind: 'change' | 'read';
  readonly invoked: number;
  readonly returned: number;
  readonly rev: number;
  readonly what: string;
}

/** What the clients of a run saw. Times are microseconds of this process's clock. */
export class History {
  readonly operations: Operation[] = [];
  readonly insertions: Insertion[] = [];
  readonly sights: Sight[] = [];
  readonly #outcomes = new Map<string, number>();

  now(): number {
    return Math.round(performance.now() * 1_000);
  }

  /** How many requests came to what. */
  get outcomes(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#outcomes].sort(([a], [b]) => a.localeCompare(b)));
  }

  count(op: string, answer: Answer): void {
    const name = `${op} ${outcomeOf(answer)}`;
    this.#outcomes.set(name, (this.#outcomes.get(name) ?? 0) + 1);
  }

  see(kind: Sight['kind'], invoked: number, answer: Answer, what: string): void {
    if (typeof answer === 'string' || !answer.ok) return;
    const rev = Number(kind === 'change' ? answer.mod : answer.rev);
    if (Number.isSafeInteger(rev)) this.sights.push({ kind, invoked, returned: this.now(), rev, what });
  }

  /** Writes everything to files of a folder: the operations, and the revisions that anybody was shown. */
  save(folder: string): void {
    saveLines(join(folder, 'history.ndjson'), [...this.operations, ...this.insertions]);
    saveLines(join(folder, 'revisions.ndjson'), this.sights);
  }
}

/** Writes each of these on a line of its own. */
export function saveLines(path: string, all: readonly unknown[]): void {
  writeFileSync(path, all.map(each => `${JSON.stringify(each)}\n`).join(''));
}

/** A word for what a request came to. */
function outcomeOf(answer: Answer): string {
  if (typeof answer === 'string') return answer;
  return answer.ok ? 'ok' : (answer.error?.code ?? 'no code');
}

/** Whether it is certain that it changed nothing, or certain that it did. */
export function isKnown(answer: Answer): boolean {
  return answer !== 'unknown' && (answer === 'unsent' || answer.ok || answer.error?.definite === true);
}

/** What a client learnt from the answer to an operation on one key. */
export function resultOf(action: Action, answer: Answer): Result {
  if (answer === 'unsent') return { kind: 'failed' };
  if (answer === 'unknown') return { kind: 'unknown' };
  if (!answer.ok) return refusalOf(answer);
  if (action.op === 'remove') return { kind: 'ok', removed: Number(answer.removed) };
  const mod = Number(answer.mod);
  return action.op === 'get' ? { kind: 'ok', value: answer.value, mod } : { kind: 'ok', mod };
}

function refusalOf({ error }: Reply): Result {
  if (error?.code === 'CONFLICT') return { kind: 'conflict', mod: Number(error.mod) };
  return { kind: error?.definite === true ? 'failed' : 'unknown' };
}
