import type { SchemaField, Shape } from './schema.ts';

/** A message as the serializers of the schema take and give it. */
export type Message = Record<string, unknown>;
/** What it stands for on a line. */
export type Fields = Record<string, unknown>;

/** Fields of replies that a line always has: null where the message's is not set. */
const NULL_WHEN_UNSET: ReadonlySet<string> = new Set([
  'GetReply.value',
  'Entry.value',
  'ListReply.next',
  'LeasesReply.next',
  'GetResult.value',
  'KeysResult.next',
  'EntriesResult.next',
  'LeaderEvent.id',
  'LeaderEvent.address',
  'HelloReply.cluster',
  'StatusReply.cluster',
]);
/** Messages that stand for null when they are empty, save in a request: there what is empty was sent so. */
const NULL_WHEN_EMPTY: ReadonlySet<string> = new Set(['Previous', 'Node']);
/** Lists of requests that a line must have, and that may be empty there. */
const LISTS_WANTED: ReadonlySet<string> = new Set(['TxnRequest.then']);
/** Messages that are one of several, which a line tells apart by what they have: a field that each alone has. */
const UNTAGGED: ReadonlyMap<string, readonly (readonly [field: string, variant: string])[]> = new Map([
  [
    'TxnResult',
    [
      ['removed', 'remove'],
      ['keys', 'keys'],
      ['entries', 'entries'],
      ['key', 'get'],
      ['mod', 'set'],
    ],
  ],
]);
/** Lists of pairs that are objects in JSON, whose names are data. */
const PAIRS: ReadonlyMap<string, readonly [name: string, content: string]> = new Map([
  ['InitRequest.nodes', ['id', 'address']],
  ['HelpReply.ops', ['op', 'usage']],
]);

/** The message for what a line says. Throws where the schema has no place for it: a field must not be lost in silence. */
export function toMessage(shape: Shape, fields: Readonly<Fields>): Message {
  if (shape.choice !== undefined) {
    const { [shape.choice]: tag, ...rest } = fields;
    const which = UNTAGGED.get(shape.name)?.find(([field]) => field in fields)?.[1] ?? tag;
    const variant = shape.variants.get(String(which));
    if (variant?.shape === undefined) throw new Error(`${shape.name} has no ${shape.choice} ${which}`);
    return { [variant.name]: toMessage(variant.shape, rest) };
  }
  const message: Message = {};
  for (const key in fields) {
    const content = fields[key];
    if (content === undefined) continue;
    const field = shape.byKey.get(key);
    if (field === undefined) throw new Error(`${shape.name} has no field ${key}`);
    const pairs = PAIRS.get(`${shape.name}.${field.name}`);
    if (pairs !== undefined) message[field.name] = toPairs(pairs, content);
    else if (field.isRepeated) message[field.name] = (content as unknown[]).map(item => toValue(field, item));
    else if (content !== null) message[field.name] = toValue(field, content);
    else if (field.shape !== undefined) message[field.name] = {};
  }
  return message;
}

function toPairs([name, content]: readonly [string, string], pairs: unknown): Message[] {
  if (Array.isArray(pairs)) return pairs; // a checked request has them so
  return Object.entries(pairs as object).map(([key, value]) => ({ [name]: key, [content]: value }));
}

function toValue(field: SchemaField, content: unknown): unknown {
  if (field.shape !== undefined) return toMessage(field.shape, content as Fields);
  if (field.type === 'bytes') return Buffer.from(content as string);
  if (field.type !== 'enum') return content;
  return field.enumPrefix + String(content).toUpperCase().replaceAll('-', '_');
}

/** What a message says, as a line would. */
export function fromMessage(shape: Shape, message: Readonly<Message>): Fields {
  if (shape.choice !== undefined) {
    const variant = shape.fields.find(field => message[field.name] !== undefined);
    if (variant?.shape === undefined) return {};
    const content = fromMessage(variant.shape, message[variant.name] as Message);
    if (UNTAGGED.has(shape.name)) return content;
    return { [shape.choice]: variant.name.replaceAll('_', '-'), ...content };
  }
  const isRequest = /(?:Request|Step)$/.test(shape.name);
  const fields: Fields = {};
  for (const field of shape.fields) {
    const content = message[field.name];
    const name = `${shape.name}.${field.name}`;
    if (content === undefined) {
      const missing = isRequest && !LISTS_WANTED.has(name) ? undefined : whenUnset(field, name);
      if (missing !== undefined) fields[field.key] = missing;
      continue;
    }
    const pairs = PAIRS.get(name);
    if (pairs !== undefined) fields[field.key] = fromPairs(pairs, content as Message[]);
    else if (field.isRepeated)
      fields[field.key] = (content as unknown[]).map(item => fromValue(field, item, isRequest));
    else fields[field.key] = fromValue(field, content, isRequest);
  }
  return fields;
}

function whenUnset(field: SchemaField, name: string): unknown {
  if (field.isRepeated) return [];
  if (field.isOptional) return NULL_WHEN_UNSET.has(name) ? null : undefined;
  return { string: '', bytes: '', number: 0, boolean: false, enum: undefined, message: null }[field.type];
}

function fromPairs([name, content]: readonly [string, string], pairs: readonly Message[]): Fields {
  return Object.fromEntries(pairs.map(pair => [pair[name] ?? '', pair[content]]));
}

function fromValue(field: SchemaField, content: unknown, isRequest: boolean): unknown {
  const { shape, type, enumPrefix } = field;
  if (shape !== undefined) {
    const fields = fromMessage(shape, content as Message);
    const isNull = !isRequest && NULL_WHEN_EMPTY.has(shape.name) && Object.keys(fields).length === 0;
    return isNull ? null : fields;
  }
  if (type === 'bytes') return (content as Buffer).toString();
  if (type !== 'enum') return content;
  // A value that the schema does not name comes as its number, and is refused as such.
  if (typeof content !== 'string') return content;
  return content.slice(enumPrefix.length).toLowerCase().replaceAll('_', '-');
}
