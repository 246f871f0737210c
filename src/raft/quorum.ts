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
    let least = Number.POSITIVE_INFINITY;
    for (const voters of this.#majorities) least = Math.min(least, reachedByMost(voters.map(number)));
    return least;
  }
}

/** The highest number that more than half have reached. Asked at every answer, and of a few: so it sorts nothing. */
function reachedByMost(numbers: readonly number[]): number {
  let highest = 0;
  for (const candidate of numbers) {
    if (candidate <= highest) continue;
    let count = 0;
    for (const number of numbers) if (number >= candidate) count += 1;
    if (count * 2 > numbers.length) highest = candidate;
  }
  return highest;
}
