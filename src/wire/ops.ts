import {
  type Checked,
  conditions,
  type Fields,
  flag,
  fromStage,
  type Held,
  key,
  nodeAddress,
  nodeAddresses,
  nodeId,
  nodeIds,
  pageSize,
  positive,
  prefix,
  readMode,
  revision,
  seconds,
  yes,
} from './fields.ts';
import { KEY_OPS, keyOps } from './key-ops.ts';

/**
 * `node`: about the node asked. `read`: of the store. `change`: of the store, through the log from stage 4.
 * `watch`: of the store's changes, for as long as the connection lasts. `backup`: of the whole store, in many pieces.
 * `cluster`: of the cluster itself.
 */
export type OpKind = 'node' | 'read' | 'change' | 'watch' | 'backup' | 'cluster';

export interface Op {
  readonly kind: OpKind;
  /** The first stage that has it. */
  readonly stage: number;
  /** What it does, in one line. */
  readonly about: string;
  /** A line to paste. */
  readonly example: string;
  readonly required: Fields;
  readonly optional: Fields;
}

/** Fields that any request may carry, beside `op` and `id`. `timeout` is in milliseconds. */
export const COMMON_FIELDS = { timeout: positive, forward: flag };

/** Fields that any change may carry, always both: they make it happen once, however often it is sent. */
const onceFields = { session: fromStage(6, positive), seq: fromStage(6, positive) };

/**
 * Every operation of the line protocol: what the parser checks, what `help` prints, what the tests
 * generate wrong requests from. The handlers' request types are derived from it.
 */
export const OPS = {
  help: {
    kind: 'node',
    stage: 0,
    about: 'help: the operations of this node, each with an example line',
    example: '{"op":"help"}',
    required: {},
    optional: {},
  },
  hello: {
    kind: 'node',
    stage: 0,
    about: 'hello: who this node is, its limits and the names of its operations',
    example: '{"op":"hello"}',
    required: {},
    optional: {},
  },
  ping: {
    kind: 'node',
    stage: 0,
    about: 'ping: answers pong',
    example: '{"op":"ping"}',
    required: {},
    optional: {},
  },
  status: {
    kind: 'node',
    stage: 0,
    about: 'status: role, term, leader, log, members and counters of this node',
    example: '{"op":"status"}',
    required: {},
    optional: {},
  },
  members: {
    kind: 'node',
    stage: 4,
    about: 'members: the nodes of the cluster, as the node asked knows them',
    example: '{"op":"members"}',
    required: {},
    optional: {},
  },
  hash: {
    kind: 'node',
    stage: 4,
    about: 'hash: a checksum of the whole state at the index applied; equal on every node at equal indexes',
    example: '{"op":"hash"}',
    required: {},
    optional: {},
  },
  quit: {
    kind: 'node',
    stage: 0,
    about: 'quit: closes this connection after every outstanding reply',
    example: '{"op":"quit"}',
    required: {},
    optional: {},
  },
  get: {
    kind: 'read',
    stage: 0,
    about: 'get key [read]: one key with its revisions; value null when absent',
    example: '{"op":"get","key":"/app/db"}',
    required: KEY_OPS.get.required,
    optional: { ...KEY_OPS.get.optional, read: readMode },
  },
  set: {
    kind: 'change',
    stage: 0,
    about: 'set key value [if, lease, prev]: writes one key, when all conditions hold',
    example: '{"op":"set","key":"/app/db","value":"pg","if":{"absent":true}}',
    required: KEY_OPS.set.required,
    optional: { ...KEY_OPS.set.optional, ...onceFields },
  },
  remove: {
    kind: 'change',
    stage: 0,
    about: 'remove key or prefix [if]: removes one key, or all that begin with the prefix',
    example: '{"op":"remove","key":"/app/db"}',
    required: KEY_OPS.remove.required,
    optional: { ...KEY_OPS.remove.optional, ...onceFields },
  },
  list: {
    kind: 'read',
    stage: 0,
    about: 'list [prefix, depth, values, limit, after, read]: keys in order, page by page (after = next)',
    example: '{"op":"list","prefix":"/app/","depth":1}',
    required: KEY_OPS.list.required,
    optional: { ...KEY_OPS.list.optional, read: readMode },
  },
  txn: {
    kind: 'change',
    stage: 4,
    about:
      'txn then [if, else]: if all conditions hold, then these get, list, set, remove, or else those; all or none',
    example:
      '{"op":"txn","if":{"key":"/app/db","exists":true},"then":[{"op":"set","key":"/app/ready","value":"yes"}]}',
    // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
    required: { then: keyOps },
    optional: { if: conditions, else: keyOps, ...onceFields },
  },
  watch: {
    kind: 'watch',
    stage: 4,
    about:
      'watch key or prefix [from, prev], or cluster: pushes each revision that changes them, or the cluster',
    example: '{"op":"watch","prefix":"/app/","from":1}',
    required: {},
    optional: { key, prefix, from: revision, prev: flag, cluster: yes },
  },
  unwatch: {
    kind: 'watch',
    stage: 4,
    about: 'unwatch watch: ends a watch of this connection',
    example: '{"op":"unwatch","watch":1}',
    required: { watch: positive },
    optional: {},
  },
  grant: {
    kind: 'change',
    stage: 6,
    about:
      'grant ttl: a lease for so many seconds, renewable; keys that are set with it are removed when it ends',
    example: '{"op":"grant","ttl":10}',
    required: { ttl: seconds },
    optional: onceFields,
  },
  renew: {
    kind: 'change',
    stage: 6,
    about: 'renew lease: begins its time anew',
    example: '{"op":"renew","lease":1}',
    required: { lease: positive },
    optional: onceFields,
  },
  revoke: {
    kind: 'change',
    stage: 6,
    about: 'revoke lease: ends it at once, and removes its keys',
    example: '{"op":"revoke","lease":1}',
    required: { lease: positive },
    optional: onceFields,
  },
  leases: {
    kind: 'read',
    stage: 6,
    about:
      'leases [from, limit, read]: the leases, how many seconds each has left, page by page (from = next)',
    example: '{"op":"leases"}',
    required: {},
    optional: { from: positive, limit: pageSize, read: readMode },
  },
  session: {
    kind: 'change',
    stage: 6,
    about:
      'session [ttl]: a session; changes that carry it and a seq of their own happen once, however often sent',
    example: '{"op":"session"}',
    required: {},
    optional: { ttl: seconds, ...onceFields },
  },
  init: {
    kind: 'cluster',
    stage: 6,
    about: 'init nodes: makes a cluster of nodes that wait for one; sent to any of them',
    example: '{"op":"init","nodes":{"n1":"127.0.0.1:7001","n2":"127.0.0.1:7002"}}',
    required: { nodes: nodeAddresses },
    optional: {},
  },
  'transfer-leader': {
    kind: 'cluster',
    stage: 6,
    about: 'transfer-leader [to]: hands leadership to a node, or to the one that is furthest',
    example: '{"op":"transfer-leader","to":"n2"}',
    required: {},
    optional: { to: nodeId },
  },
  backup: {
    kind: 'backup',
    stage: 7,
    about: 'backup: pushes the whole store in chunks, then answers with its hash; give a large one a timeout',
    example: '{"op":"backup","timeout":600000}',
    required: {},
    optional: {},
  },
  snapshot: {
    kind: 'cluster',
    stage: 7,
    about: 'snapshot: the node asked compacts its log now; answers what its newest snapshot stands for',
    example: '{"op":"snapshot"}',
    required: {},
    optional: {},
  },
  'add-learner': {
    kind: 'cluster',
    stage: 8,
    about:
      'add-learner node: adds a node that waits, to be sent everything and count for nothing; or gives a member a new address',
    example: '{"op":"add-learner","node":{"id":"n4","address":"127.0.0.1:7004"}}',
    required: { node: nodeAddress },
    optional: {},
  },
  'change-membership': {
    kind: 'cluster',
    stage: 8,
    about:
      'change-membership members [expect, force]: makes these members the voters; who voted before and is left out is removed',
    example: '{"op":"change-membership","members":["n1","n2","n4"]}',
    required: { members: nodeIds },
    optional: { expect: nodeIds, force: flag },
  },
  'remove-node': {
    kind: 'cluster',
    stage: 8,
    about: 'remove-node node [force]: removes one member, voter or learner',
    example: '{"op":"remove-node","node":"n3"}',
    required: { node: nodeId },
    optional: { force: flag },
  },
} as const satisfies Record<string, Op>;

export type OpName = keyof typeof OPS;

/** Whether an operation may leave something behind, so that an answer lost on the way leaves its outcome unknown. */
export function mayChange(op: OpName): boolean {
  const { kind } = OPS[op];
  return kind === 'change' || kind === 'cluster';
}

/** The names of the operations that a node of this stage answers. */
export function opsOfStage(stage: number): OpName[] {
  return (Object.keys(OPS) as OpName[]).filter(name => OPS[name].stage <= stage);
}

type Common = { readonly [K in keyof typeof COMMON_FIELDS]?: Held<(typeof COMMON_FIELDS)[K]> };

/** What identifies a request to the client that sent it. */
export type RequestId = string | number;

/** A checked request of one operation. */
export type RequestOf<Name extends OpName> = { readonly op: Name; readonly id?: RequestId } & Common &
  Checked<(typeof OPS)[Name]>;

/** A checked request. */
export type Request = { [Name in OpName]: RequestOf<Name> }[OpName];

type NamesOf<Kind extends OpKind> = {
  [N in OpName]: (typeof OPS)[N]['kind'] extends Kind ? N : never;
}[OpName];

export type ReadRequest = { [Name in NamesOf<'read'>]: RequestOf<Name> }[NamesOf<'read'>];
export type ChangeRequest = { [Name in NamesOf<'change'>]: RequestOf<Name> }[NamesOf<'change'>];
/** A change of keys alone, which every stage has. */
export type KeyChange = RequestOf<'set'> | RequestOf<'remove'>;
export type WatchRequest = { [Name in NamesOf<'watch'>]: RequestOf<Name> }[NamesOf<'watch'>];
export type ClusterRequest = { [Name in NamesOf<'cluster'>]: RequestOf<Name> }[NamesOf<'cluster'>];
export type NodeRequest = { [Name in NamesOf<'node'>]: RequestOf<Name> }[NamesOf<'node'>];
