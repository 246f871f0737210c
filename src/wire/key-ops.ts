import { refuse } from './errors.ts';
import {
  type Checked,
  conditions,
  type Field,
  type Fields,
  flag,
  fromStage,
  key,
  pageSize,
  positive,
  prefix,
  refuseStage,
  value,
  wrong,
} from './fields.ts';
import { LIMITS } from './limits.ts';
import { shortened } from './text.ts';

interface KeySpec {
  readonly required: Fields;
  readonly optional: Fields;
}

/** The operations on keys, with what they have to say wherever they stand: by themselves, or in a transaction. */
export const KEY_OPS = {
  get: { required: { key }, optional: {} },
  set: { required: { key, value }, optional: { if: conditions, prev: flag, lease: fromStage(6, positive) } },
  remove: { required: {}, optional: { key, prefix, if: conditions } },
  list: {
    required: {},
    optional: { prefix, depth: positive, values: flag, limit: pageSize, after: prefix },
  },
} as const satisfies Record<string, KeySpec>;

type KeyOpName = keyof typeof KEY_OPS;

/** An operation of a transaction. */
export type KeyOp = {
  [Name in KeyOpName]: { readonly op: Name } & Checked<(typeof KEY_OPS)[Name]>;
}[KeyOpName];

/** The operations of a transaction, in their order. */
export const keyOps: Field<readonly KeyOp[]> = {
  type: 'a list of operations, as [{"op":"set","key":"/a","value":"1"}]',
  check: (input, name, stage) => {
    if (!Array.isArray(input)) wrong(name, keyOps.type, input);
    if (input.length > LIMITS.operations) {
      const words = `"${name}" has more than ${LIMITS.operations} operations`;
      refuse('BAD_REQUEST', words, { field: name, limit: LIMITS.operations });
    }
    return input.map((item, at) => keyOp(item, `${name}[${at}]`, stage));
  },
};

const NAMES = Object.keys(KEY_OPS).join(', ');

function keyOp(input: unknown, name: string, stage: number): KeyOp {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    wrong(name, 'an operation, as {"op":"set","key":"/a","value":"1"}', input);
  }
  const { op, ...content } = input as Record<string, unknown>;
  if (typeof op !== 'string' || !Object.hasOwn(KEY_OPS, op)) wrong(`${name}.op`, `one of ${NAMES}`, op);
  const spec: KeySpec = KEY_OPS[op as KeyOpName];
  const fields: Fields = { ...spec.required, ...spec.optional };
  const checked: Record<string, unknown> = { op };
  for (const part in content) {
    const field = Object.hasOwn(fields, part) ? fields[part] : undefined;
    if (field === undefined) {
      const has = Object.keys(fields).join(', ');
      const words = `"${name}": ${op} has no field ${JSON.stringify(shortened(part))} in a txn: its fields are ${has}`;
      refuse('BAD_REQUEST', words, { field: `${name}.${shortened(part)}` });
    }
    if (field.stage !== undefined && field.stage > stage) refuseStage(`${name}.${part}`, field.stage, stage);
    checked[part] = field.check(content[part], `${name}.${part}`, stage);
  }
  for (const part in spec.required) {
    if (checked[part] === undefined) {
      refuse('BAD_REQUEST', `"${name}": ${op} needs "${part}"`, { field: `${name}.${part}` });
    }
  }
  if (op === 'remove') checkRemove(checked as { readonly op: 'remove' }, name);
  return checked as KeyOp;
}

/** What a `remove` has to name; `name` says where it stands. */
export function checkRemove(op: Checked<typeof KEY_OPS.remove>, name: string): void {
  if ((op.key === undefined) === (op.prefix === undefined)) {
    refuse('BAD_REQUEST', `${name} needs either "key" or "prefix", and not both`, { field: 'key' });
  }
  if (op.prefix !== undefined && op.if?.some(condition => condition.key === undefined)) {
    refuse('BAD_REQUEST', `${name}: with a prefix, each condition needs a "key" of its own`, { field: 'if' });
  }
}
