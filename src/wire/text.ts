/**
 * Whether a string is longer than this many bytes of UTF-8. A UTF-16 unit takes one to three bytes, and that
 * bound spares the exact count for nearly every string.
 */
export function isLongerThan(text: string, bytes: number): boolean {
  if (text.length > bytes) return true;
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}

/**
 * The text cut to `max` characters for an error message, with an ellipsis where something is missing. It is well-formed
 * in any case: what is refused for its lone surrogate must not come back with it.
 */
export function shortened(text: string, max = 60): string {
  return text.length <= max ? text.toWellFormed() : `${text.slice(0, max).toWellFormed()}…`;
}

/** The candidate nearest to a mistyped word, or undefined when none is near enough to be worth suggesting. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  if (word.length > 64) return undefined;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

/**
 * The one node that a mistyped id can have meant. Ids are short and alike: where several are as near, or a single
 * character is all there is, the list of them says more than a guess.
 */
export function nearestId(id: string, known: Iterable<string>): string | undefined {
  const near = [...known].filter(each => each.length > 1 && isOneEdit(id, each));
  return near.length === 1 ? near[0] : undefined;
}

function isOneEdit(word: string, other: string): boolean {
  return Math.abs(word.length - other.length) <= 1 && word.length <= 64 && editDistance(word, other) === 1;
}

/** Edits (insert, delete, replace, swap of neighbours) from one word to another: optimal string alignment. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let edits = Math.min(
        (above[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        edits = Math.min(edits, (before[column - 2] ?? 0) + 1);
      }
      current.push(edits);
    }
    before = above;
    above = current;
  }
  return above[b.length] ?? 0;
}

/** The bytes of UTF-8 that a string takes once it is written as JSON. */
export function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

/** A string as JSON. Most need no escape, and to see that is faster than to look for what to escape. */
export function quoted(text: string): string {
  return /^[ !#-[\]-~]*$/.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** The bytes of UTF-8 that a value takes once it is written as JSON. */
export function jsonBytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
