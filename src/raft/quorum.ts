/**
 * Who has to agree: a majority of the voters, or while the configuration is joint (§6) a majority of the old and
 * a majority of the new. A value: it never changes, a new configuration is a new one.
 */
export class Quorum {
  readonly #majorities: readonly (readonly string[])[];
  /** Every voter, once. */
  readonly voters: readonly string[];

  /** One set of voters, or two while the configuration is joint. */
  constructor(...sets: readonly (readonly string[])[]) {
    this.#majorities = sets;
    this.voters = [...new Set(sets.flat())];
  }

  has(id: string): boolean {
    return this.voters.includes(id);
  }

  /** Whether those for whom the test holds are enough to decide. */
  agrees(test: (id: string) => boolean): boolean {
    return this.#majorities.every(voters => voters.filter(test).length * 2 > voters.length);
  }

  /** Whether so many have refused that those who have not are no longer enough. */
  isLost(refused: (id: string) => boolean): boolean {
    return !this.agrees(id => !refused(id));
  }

  /** The highest number that enough voters have reached. */
  reached(number: (id: string) => number): number {
    const perSet = this.#majorities.map(voters => {
      const sorted = voters.map(number).sort((a, b) => b - a);
      return sorted[Math.floor(voters.length / 2)] ?? 0;
    });
    return Math.min(...perSet);
  }
}
