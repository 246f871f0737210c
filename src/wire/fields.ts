import {
  checkNodes,
  formatAddress,
  isNodeId,
  NODE_ID_RULE,
  type NodeAddress,
  parseAddress,
} from './address.ts';
import { refuse } from './errors.ts';
import { LIMITS } from './limits.ts';
import { isLongerThan, jsonBytes, shortened } from './text.ts';

/** How one field of a request is checked: `check` returns the value to use, or refuses it by name. */
export interface Field<T> {
  /** What the field holds, in words that follow "must be". */
  readonly type: string;
  readonly check: (input: unknown, name: string, stage: number) => T;
  /** The stage from which requests may carry it; 0 unless told. */
  readonly stage?: number;
}

export type Fields = Readonly<Record<string, Field<unknown>>>;

/** What a checked field holds. */
export type Held<F> = F extends Field<infer T> ? T : never;

/** Checked fields: those that must be there, and those that may. */
export type Checked<Spec extends { readonly required: Fields; readonly optional: Fields }> = {
  readonly [K in keyof Spec['required']]: Held<Spec['required'][K]>;
} & { readonly [K in keyof Spec['optional']]?: Held<Spec['optional'][K]> };

/** Refuses a field whose content is of the wrong type. */
export function wrong(name: string, type: string, input: unknown): never {
  refuse('BAD_REQUEST', `"${name}" must be ${type}, not ${describe(input)}`, { field: name });
}

function describe(input: unknown): string {
  if (input === null) return 'null';
  if (Array.isArray(input)) return input.length === 0 ? 'an empty list' : 'a list';
  if (typeof input === 'object') return Object.keys(input).length === 0 ? 'an empty object' : 'an object';
  if (input === '') return 'an empty string';
  return typeof input === 'string' ? JSON.stringify(shortened(input)) : String(input);
}

/** A string that UTF-8 can carry: a lone surrogate is refused, never repaired. */
function text(input: unknown, name: string, type: string, limit: number): string {
  if (typeof input !== 'string') wrong(name, type, input);
  if (isLongerThan(input, limit)) {
    refuse('TOO_LARGE', `"${name}" is longer than ${limit} bytes of UTF-8`, { field: name, limit });
  }
  if (!input.isWellFormed()) refuse('BAD_REQUEST', `"${name}" has a lone surrogate`, { field: name });
  return input;
}

function integer(type: string, least: number, most: number): Field<number> {
  return {
    type,
    check: (input, name) => {
      const fits = Number.isSafeInteger(input) && (input as number) >= least && (input as number) <= most;
      return fits ? (input as number) : wrong(name, type, input);
    },
  };
}

export const key: Field<string> = {
  type: 'a string that is not empty',
  check: (input, name) =>
    input === '' ? wrong(name, key.type, input) : text(input, name, key.type, LIMITS.key),
};

/** The beginning of keys; an empty one is the beginning of all. */
export const prefix: Field<string> = {
  type: 'a string',
  check: (input, name) => text(input, name, prefix.type, LIMITS.key),
};

export const value: Field<string> = {
  type: 'a string',
  check: (input, name) => {
    const checked = text(input, name, value.type, LIMITS.value);
    // Characters that JSON writes as six may need more than a line, in which the value could never be sent back.
    if (checked.length * 6 > MOST_JSON && jsonBytes(checked) > MOST_JSON) {
      const words = `"${name}" takes more than ${MOST_JSON} bytes as JSON, escapes included`;
      refuse('TOO_LARGE', words, { field: name, limit: MOST_JSON });
    }
    return checked;
  },
};

/** Bytes of JSON that a value may take, so that it fits a line beside its key and its revisions. */
const MOST_JSON = LIMITS.line - 16_384;

export const flag: Field<boolean> = {
  type: 'true or false',
  check: (input, name) => (typeof input === 'boolean' ? input : wrong(name, flag.type, input)),
};

export const positive = integer('a positive integer', 1, LIMITS.integer);
export const revision = integer('a revision (an integer from 0)', 0, LIMITS.integer);
export const seconds = integer(`seconds (an integer from 1 to ${LIMITS.ttl})`, 1, LIMITS.ttl);
export const pageSize = integer(`an integer from 1 to ${LIMITS.list}`, 1, LIMITS.list);

export type ReadMode = 'linearizable' | 'stale';
export const readMode: Field<ReadMode> = {
  type: '"linearizable" or "stale"',
  check: (input, name) =>
    input === 'linearizable' || input === 'stale' ? input : wrong(name, readMode.type, input),
};

export const nodeId: Field<string> = {
  type: `a node id (${NODE_ID_RULE})`,
  check: (input, name) =>
    typeof input === 'string' && isNodeId(input) ? input : wrong(name, nodeId.type, input),
};

/** Nodes as `{id: address}`, given on as a list with canonical addresses. */
export const nodeAddresses: Field<readonly NodeAddress[]> = {
  type: 'an object that gives the address of each node, as {"n1":"127.0.0.1:7001"}',
  check: (input, name, stage) => {
    const isObject = typeof input === 'object' && input !== null && !Array.isArray(input);
    if (!isObject || Object.keys(input).length === 0) wrong(name, nodeAddresses.type, input);
    const nodes = Object.entries(input).map(([id, address]) => {
      nodeId.check(id, `${name}: ${shortened(id)}`, stage);
      if (typeof address !== 'string') wrong(`${name}.${id}`, 'an address as host:port', address);
      return { id, address: formatAddress(parseAddress(address)) };
    });
    checkNodes(nodes);
    return nodes;
  },
};

/** One node as `{id, address}`, with the canonical address. */
export const nodeAddress: Field<NodeAddress> = {
  type: 'an object with the id and the address of a node, as {"id":"n4","address":"127.0.0.1:7004"}',
  check: (input, name, stage) => {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) {
      wrong(name, nodeAddress.type, input);
    }
    const { id, address, ...others } = input as Record<string, unknown>;
    const [other] = Object.keys(others);
    if (other !== undefined) {
      refuse('BAD_REQUEST', `"${name}" has no part ${JSON.stringify(shortened(other))}: use id and address`, {
        field: name,
      });
    }
    if (typeof address !== 'string') wrong(`${name}.address`, 'an address as host:port', address);
    const node = {
      id: nodeId.check(id, `${name}.id`, stage),
      address: formatAddress(parseAddress(address)),
    };
    checkNodes([node]);
    return node;
  },
};

/** Ids of nodes, each once. */
export const nodeIds: Field<readonly string[]> = {
  type: 'a list of node ids that is not empty',
  check: (input, name, stage) => {
    if (!Array.isArray(input) || input.length === 0) wrong(name, nodeIds.type, input);
    const ids = input.map((id, at) => nodeId.check(id, `${name}[${at}]`, stage));
    const twice = ids.find((id, at) => ids.indexOf(id) !== at);
    if (twice !== undefined) refuse('BAD_REQUEST', `"${name}" names ${twice} twice`, { field: name });
    return ids;
  },
};

/** One comparison with a key as it is now; those present must all hold. An absent key has `mod`, `create`, `version` 0. */
export interface Condition {
  readonly key?: string;
  readonly mod?: number;
  readonly create?: number;
  readonly version?: number;
  readonly value?: string;
  readonly absent?: true;
  readonly exists?: true;
}

export const yes: Field<true> = {
  type: 'true',
  check: (input, name) => (input === true ? input : wrong(name, 'true', input)),
};
const conditionFields: Record<keyof Condition, Field<unknown>> = {
  key,
  mod: revision,
  create: revision,
  version: revision,
  value,
  absent: yes,
  exists: yes,
};

function condition(input: unknown, name: string, stage: number): Condition {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    wrong(name, 'a condition or a list of them', input);
  }
  let tests = 0;
  for (const [part, operand] of Object.entries(input)) {
    if (!Object.hasOwn(conditionFields, part)) {
      refuse(
        'BAD_REQUEST',
        `"${name}" has no condition ${JSON.stringify(shortened(part))}: ${conditionNames}`,
        {
          field: name,
        },
      );
    }
    conditionFields[part as keyof Condition].check(operand, `${name}.${part}`, stage);
    if (part !== 'key') tests += 1;
  }
  if (tests === 0)
    refuse('BAD_REQUEST', `"${name}" has an empty condition: ${conditionNames}`, { field: name });
  return input;
}

export const CONDITION_FIELDS: readonly string[] = Object.keys(conditionFields);
const conditionNames = `use ${CONDITION_FIELDS.join(', ')}`;

/** One condition or a list of them, always given on as a list. */
export const conditions: Field<readonly Condition[]> = {
  type: 'a condition or a list of them',
  check: (input, name, stage) => {
    if (!Array.isArray(input)) return [condition(input, name, stage)];
    // A guard that has come out empty by mistake must not let a change through.
    if (input.length === 0) wrong(name, conditions.type, input);
    if (input.length > LIMITS.conditions) {
      refuse('BAD_REQUEST', `"${name}" has more than ${LIMITS.conditions} conditions`, {
        field: name,
        limit: LIMITS.conditions,
      });
    }
    return input.map((item, at) => condition(item, `${name}[${at}]`, stage));
  },
};

/** The same field, for requests from a stage on. */
export function fromStage<T>(stage: number, field: Field<T>): Field<T> {
  return { ...field, stage };
}

/** Refuses a field that comes with a later stage than the one that runs. */
export function refuseStage(name: string, from: number, stage: number): never {
  refuse('WRONG_STAGE', `"${name}" comes with stage ${from}; this node runs stage ${stage}`, { stage: from });
}
