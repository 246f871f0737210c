/** The sizes that every node accepts, as `hello` reports them. All are inclusive. */
export const LIMITS = {
  /** Bytes of a line before its newline. */
  line: 1_048_576,
  /** Bytes of UTF-8 in a key or a prefix. */
  key: 1_024,
  /** Bytes of UTF-8 in a value. */
  value: 524_288,
  /** Levels of arrays and objects in a line. */
  nesting: 16,
  /** Integers lie within ± this. */
  integer: Number.MAX_SAFE_INTEGER,
  /** Bytes of UTF-8 in a request's `id` when it is a string. */
  id: 128,
  /** Conditions in one `if`. */
  conditions: 128,
  /** Operations in each of `then` and `else`. */
  operations: 128,
  /** Seconds that a lease or a session may live without being renewed or used: a year. */
  ttl: 31_536_000,
  /** Keys in one page of `list`; `listDefault` when the request names none. */
  list: 10_000,
  listDefault: 1_000,
} as const;
