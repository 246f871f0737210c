import { type Hash, hashOfBoth, hashOfNumbers, hashOfText } from './digest.ts';

/**
 * A hash of a JSON value: the same for two that say the same, in whatever order their fields stand. It tells a request
 * that is sent again from another one under the same number. `except` names fields that do not count.
 */
export function fingerprintOf(value: unknown, except?: ReadonlySet<string>): Hash {
  if (typeof value === 'string') return hashOfBoth(STRING, hashOfText(value));
  if (typeof value === 'object' && value !== null) {
    return Array.isArray(value)
      ? ofList(value)
      : ofFields(value as Readonly<Record<string, unknown>>, except);
  }
  return hashOfText(String(value));
}

const STRING = hashOfText('a string');
const FIELD = hashOfText('a field');

function ofList(items: readonly unknown[]): Hash {
  return items.reduce(
    (hash: Hash, item) => hashOfBoth(hash, fingerprintOf(item)),
    hashOfNumbers(items.length),
  );
}

/** A sum, which no order changes; what is undefined is not there, since JSON would leave it out. */
function ofFields(fields: Readonly<Record<string, unknown>>, except?: ReadonlySet<string>): Hash {
  let { high, low } = FIELD;
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined || except?.has(name)) continue;
    const field = hashOfBoth(hashOfName(name), fingerprintOf(value));
    high = (high + field.high) | 0;
    low = (low + field.low) | 0;
  }
  return { high, low };
}

/** The hashes of the names of fields. There are only as many as requests may have. */
const names = new Map<string, Hash>();

function hashOfName(name: string): Hash {
  let hash = names.get(name);
  if (hash === undefined) {
    hash = hashOfText(name);
    names.set(name, hash);
  }
  return hash;
}
