import { splitWords } from '../client/cli/words.ts';

interface KvVerb {
  readonly usage: string;
  readonly about: string;
  /** Flags, and whether each takes a value. */
  readonly flags: Readonly<Record<string, boolean>>;
  readonly request: (words: readonly string[], flags: ReadonlyMap<string, string>) => object | undefined;
}

const read = (flags: ReadonlyMap<string, string>) => (flags.has('--stale') ? { read: 'stale' } : {});

/** What a person types about keys, and the request that it stands for; undefined where words are missing. */
export const KV_VERBS: Readonly<Record<string, KvVerb>> = {
  get: {
    usage: 'get KEY [--stale]',
    about: 'one key; --stale takes what the node itself has',
    flags: { '--stale': false },
    request: ([key, ...more], flags) =>
      key === undefined || more.length > 0 ? undefined : { op: 'get', key, ...read(flags) },
  },
  set: {
    usage: 'set KEY VALUE [--if-mod N | --if-absent]',
    about: 'writes a key, when the condition holds',
    flags: { '--if-mod': true, '--if-absent': false },
    request: ([key, ...value], flags) => {
      if (key === undefined || value.length === 0) return undefined;
      const mod = flags.get('--if-mod');
      return {
        op: 'set',
        key,
        value: value.join(' '),
        ...(mod !== undefined && { if: { mod: Number(mod) } }),
        ...(flags.has('--if-absent') && { if: { absent: true } }),
      };
    },
  },
  remove: {
    usage: 'remove KEY [--prefix]',
    about: 'removes a key, or with --prefix all that begin so',
    flags: { '--prefix': false },
    request: ([key, ...more], flags) =>
      key === undefined || more.length > 0
        ? undefined
        : { op: 'remove', [flags.has('--prefix') ? 'prefix' : 'key']: key },
  },
  list: {
    usage: 'list [PREFIX] [--depth N] [--values] [--stale]',
    about: 'keys in order',
    flags: { '--depth': true, '--values': false, '--stale': false },
    request: ([prefix, ...more], flags) => {
      if (more.length > 0) return undefined;
      const depth = flags.get('--depth');
      return {
        op: 'list',
        ...(prefix !== undefined && { prefix }),
        ...(depth !== undefined && { depth: Number(depth) }),
        ...(flags.has('--values') && { values: true }),
        ...read(flags),
      };
    },
  },
  ping: {
    usage: 'ping',
    about: 'asks a node for a sign of life',
    flags: {},
    request: words => (words.length > 0 ? undefined : { op: 'ping' }),
  },
};

/** The request line of a verb and what follows it. Throws the usage when the words do not fit. */
export function requestLine(name: string, verb: KvVerb, line: string): string {
  const words: string[] = [];
  const flags = new Map<string, string>();
  const rest = splitWords(line);
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const takesValue = Object.hasOwn(verb.flags, word) ? verb.flags[word] : undefined;
    if (takesValue !== undefined) flags.set(word, takesValue ? (rest.shift() ?? '') : '');
    else if (word.startsWith('--')) throw new Error(`${name} has no ${word}; usage: ${verb.usage}`);
    else words.push(word);
  }
  const request = verb.request(words, flags);
  if (request === undefined) throw new Error(`usage: ${verb.usage}`);
  return JSON.stringify(request);
}
