const KEYS = 1_000;
/** What every `set` writes, and every `get` finds. */
export const VALUE = 'v'.repeat(100);

const lines = (fields: (key: string) => object): string[] =>
  Array.from({ length: KEYS }, (_, n) => {
    const number = String(n).padStart(4, '0');
    return JSON.stringify({ id: 1_000_000 + n, ...fields(`/bench/${number}`) });
  });

/** Request lines, all of one length. */
export const gets = lines(key => ({ op: 'get', key }));
export const sets = lines(key => ({ op: 'set', key, value: VALUE }));
