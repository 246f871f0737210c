import type { UnitTest } from '../unit-test.ts';

/** A mistake to be planted in the compiled production code: one text in one file, replaced by another. */
export interface Plant {
  /** The mistake, in a few words. */
  readonly name: string;
  /** Compiled, below dist. */
  readonly file: string;
  /** Occurs once, exactly. */
  readonly find: string;
  readonly replace: string;
  /** The scenario that catches it, whatever chance may find besides; or the test, where no history leads there. */
  readonly caughtBy: string | UnitTest;
}
