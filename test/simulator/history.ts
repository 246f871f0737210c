import type { Condition } from '../../src/wire/fields.ts';

/** What a client knows of one of its operations, as a checker of histories wants it. Times in microseconds. */
export interface Operation {
  readonly client: string;
  readonly kind: 'get' | 'set' | 'remove';
  readonly key: string;
  /** Of a set. */
  readonly value: string | undefined;
  /** The condition of a change, but for its mark. */
  readonly condition: Condition | undefined;
  readonly invoked: number;
  readonly completed: number;
  /** `unknown`: it may have happened, and may still happen. */
  readonly outcome: 'done' | 'conflict' | 'unknown';
  /** What a get was shown. */
  readonly shown: string | null | undefined;
  /** The revision that a change got, or of the key that a get was shown; 0 where there is none. */
  readonly mod: number;
  /** Of a remove: whether there was something to remove. */
  readonly removed: boolean;
}

/** How the operations of a run ended. */
export interface Tally {
  done: number;
  conflict: number;
  unknown: number;
  /** Refused for certain. */
  refused: number;
  stale: number;
}
