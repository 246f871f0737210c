/** What a caller asks for, again and again, of one key after the other. */
export type Operation = 'get' | 'set';

const KEYS = 1_000;

/** Keys of one length, each with its own number. A size of value has keys of its own, so that a `get` finds that size. */
export function keysOf(size: number): string[] {
  return Array.from({ length: KEYS }, (_, n) => `/bench/${size}/${String(n).padStart(4, '0')}`);
}

/** What every `set` writes, and every `get` finds. */
export function textOf(size: number): string {
  return 'v'.repeat(size);
}

/** Request lines, all of one length. */
export function linesOf(op: Operation, size: number): string[] {
  return keysOf(size).map((key, n) => {
    const fields = op === 'set' ? { op, key, value: textOf(size) } : { op, key };
    return JSON.stringify({ id: 1_000_000 + n, ...fields });
  });
}
