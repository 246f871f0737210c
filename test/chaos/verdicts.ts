/** How often something was looked at, and what was not as it must be. */
export interface Verdict {
  readonly name: string;
  readonly times: number;
  readonly failures: readonly string[];
}

/** Failures of one check that are told; the first ones say most. */
const MOST_TOLD = 5;

/** Everything that was checked in a run. */
export class Verdicts {
  readonly #checks = new Map<string, { times: number; failed: number; failures: string[] }>();

  /** Notes that something holds or not, and returns that. */
  check(name: string, holds: boolean, words: string): boolean {
    let check = this.#checks.get(name);
    if (check === undefined) {
      check = { times: 0, failed: 0, failures: [] };
      this.#checks.set(name, check);
    }
    check.times += 1;
    if (holds) return true;
    check.failed += 1;
    if (check.failed <= MOST_TOLD) check.failures.push(words);
    if (check.failed === MOST_TOLD + 1) check.failures.push('and more of the kind');
    return false;
  }

  get all(): Verdict[] {
    return [...this.#checks].map(([name, { times, failures }]) => ({ name, times, failures }));
  }

  get isSound(): boolean {
    return this.all.every(({ failures }) => failures.length === 0);
  }
}
