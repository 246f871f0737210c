/**
 * Orders strings by code point, which is the byte order of their UTF-8. JavaScript's own `<` compares UTF-16
 * units, and so puts U+FF5E after U+1F600: a surrogate pair stands for a code point beyond every single unit.
 */
export function byCodePoint(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x !== y) return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1;
  }
  return a.length - b.length;
}

/** A surrogate stands for more than U+FFFF, so it sorts after every unit that is not one. */
function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

/** The least string that is greater than every string that begins with `prefix`, or undefined when there is none. */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix);
  while (points.length > 0) {
    const last = points.pop()?.codePointAt(0) ?? 0;
    if (last === 0x10ffff) continue;
    const next = last === 0xd7ff ? 0xe000 : last + 1;
    return points.join('') + String.fromCodePoint(next);
  }
  return undefined;
}

/**
 * The same order for a growing set of keys, at JavaScript's own speed as long as that is right: as long as no key
 * of the set has a unit from U+D800 on. It is right even against a text that has, since the two orders differ only
 * where both texts do.
 */
export class KeyOrder {
  #isPlain = true;

  readonly compare = (a: string, b: string): number => {
    if (!this.#isPlain) return byCodePoint(a, b);
    return a < b ? -1 : a === b ? 0 : 1;
  };

  /** To be told of every key before it joins the set. */
  admit(key: string): void {
    if (this.#isPlain && /[\ud800-\uffff]/.test(key)) this.#isPlain = false;
  }
}
