/** A flag of a verb. Every flag may be given as `--name value` or `--name=value`; a boolean one as `--name`. */
export interface Flag {
  readonly type: 'boolean' | 'string' | 'integer';
  /** How the value is shown in help, such as `MS` or `A[,B…]`. */
  readonly value?: string;
  readonly about: string;
  /** The least that an integer may be; 0 unless told. */
  readonly least?: number;
}

/** What the command line came to, after the verb: words in their order, and the flags that were given. */
export interface Call {
  readonly words: readonly string[];
  readonly flags: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Everything after a lone `--`, for a verb that takes a command there; for the others these are words like any. */
  readonly rest: readonly string[];
}

/** One verb of the program. */
export interface Verb {
  readonly name: string;
  /** One line for the list of verbs. */
  readonly about: string;
  /** How it is called, such as `get KEY`. */
  readonly usage: string;
  /** Paragraphs and examples for its own `--help`. */
  readonly details?: string;
  readonly flags: Readonly<Record<string, Flag>>;
  /** Fewest and most words after the verb. */
  readonly words: readonly [least: number, most: number];
  /** What follows a lone `--` is a command of its own, and comes as `rest`. */
  readonly takesCommand?: boolean;
  /** Does it, and resolves with the exit status: 0 done, 1 no, 2 wrong usage or bad request, 3 no answer, 4 denied. */
  run(call: Call): Promise<number>;
}
