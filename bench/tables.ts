import type { Etcd } from './etcd.ts';
import type { Way } from './load.ts';
import type { Operation } from './requests.ts';
import { cluster, echo, etcdCluster, type Subject, stage } from './subjects.ts';

/** How the load comes. */
export interface Load {
  readonly callers: number;
  /** Requests that each has under way. */
  readonly depth: number;
  /** Of what such callers reach when each answer brings the next request: requests come at that rate, whatever the answers do. */
  readonly share?: number;
}

/** One row of a table: a kind of request to a subject. */
export interface Row {
  readonly name: string;
  readonly subject: Subject;
  readonly way: Way;
  readonly op: Operation;
  /** Characters of a value. */
  readonly size: number;
  /** The row whose rate it is compared with, round by round. */
  readonly against?: string;
  /** The row whose rate decides how many requests come in an open loop; its own, unless it says. */
  readonly paceOf?: string;
  /** What its ratio should be at least, and its median latency at most of the other's; one for each load. */
  readonly goals?: readonly number[];
  readonly latencyGoals?: readonly (number | undefined)[];
}

export interface Table {
  readonly name: string;
  readonly title: string;
  /** What the rows are, and how to read them. */
  readonly about: string;
  readonly loads: readonly Load[];
  readonly rows: readonly Row[];
  /** What a cell of it shows in Markdown. */
  readonly shows: 'ratio' | 'rate' | 'latency';
}

/** Characters of a value where a table does not say otherwise. */
const SIZE = 100;
const KIB = 1_024;

const CLOSED: readonly Load[] = [1, 64, 256].map(callers => ({ callers, depth: 1 }));
const PIPELINED: Load = { callers: 16, depth: 64 };
const MANY: Load = { callers: 64, depth: 1 };

const WORDS = { set: 'write', get: 'read' } as const;

/** A row for each operation on a subject. */
function rowsOf(subject: Subject, way: Way, size = SIZE): Row[] {
  return (['set', 'get'] as const).map(op => ({
    name: `${WORDS[op]}, ${subject.name}`,
    subject,
    way,
    op,
    size,
  }));
}

/** The same rows, each compared with the row of its operation that belongs to another subject. */
function against(other: string, rows: readonly Row[]): Row[] {
  return rows.map(row => ({ ...row, against: `${WORDS[row.op]}, ${other}` }));
}

/** The same rows, with what each operation should reach. */
function toReach(goals: Readonly<Record<Operation, readonly number[]>>, rows: readonly Row[]): Row[] {
  return rows.map(row => ({ ...row, goals: goals[row.op] }));
}

function limitTable(): Table {
  const beside = (subject: Subject) => against('echo', rowsOf(subject, 'lines'));
  return {
    name: 'limit',
    title: 'Beside the bare limit',
    about:
      'Against a server on the same platform that parses each line, answers with as many bytes, and does nothing ' +
      'else. A socket for each caller; values of 100 bytes; reads are linearizable.',
    loads: [...CLOSED, PIPELINED],
    shows: 'ratio',
    rows: [
      ...rowsOf(echo(SIZE), 'lines'),
      ...toReach({ set: [0, 0, 0, 0.7], get: [0, 0, 0, 0.7] }, beside(stage(0))),
      ...beside(cluster(1)),
      ...toReach({ set: [0.14, 0.24, 0.4, 0.2], get: [0.7, 0.65, 0.75, 0.7] }, beside(cluster(3))),
      ...beside(cluster(5)),
    ],
  };
}

function etcdTable(etcd: Etcd): Table {
  const other = etcdCluster(etcd, 3);
  const own = cluster(3);
  const beside = (rows: readonly Row[]) =>
    toReach({ set: [2, 8, 14], get: [6, 25, 50] }, against(other.name, rows)).map(row =>
      row.op === 'set' ? { ...row, latencyGoals: [0.5] } : row,
    );
  const unnumbered = rowsOf(own, 'unnumbered')
    .filter(row => row.op === 'set')
    .map(row => ({ ...row, name: `${row.name}, unnumbered` }));
  return {
    name: 'etcd',
    title: 'Beside etcd',
    about:
      `Three nodes each, with default settings; etcd ${etcd.version} through the etcd3 package. One client each, at ` +
      'the leader, and as many callers, a promise for each request; values of 100 bytes; reads are linearizable. ' +
      'Our client numbers its changes in a session, so that each happens once however often it has to be sent. ' +
      '“Unnumbered” is without that, as etcd3 writes: where an answer is lost, nobody knows whether the change was made.',
    loads: CLOSED,
    shows: 'ratio',
    rows: [...rowsOf(other, 'etcd3'), ...beside(rowsOf(own, 'raftline')), ...beside(unnumbered)],
  };
}

function openTable(etcd: Etcd | undefined): Table {
  const own = rowsOf(cluster(3), 'lines');
  const paced = (other: string, rows: readonly Row[]): Row[] =>
    rows.map(row => ({ ...row, name: `${row.name}, as many`, paceOf: `${WORDS[row.op]}, ${other}` }));
  const others = etcd === undefined ? [] : rowsOf(etcdCluster(etcd, 3), 'etcd3');
  return {
    name: 'open',
    title: 'Latency at half the maximum',
    about:
      'Requests come at a fixed rate, half of what 64 callers reach when each answer brings the next request, and ' +
      'latency counts from when a request was due. “As many” is the rate of the row above it: the echo shows what of ' +
      'the latency is the load generator’s own, and the last rows use the client, as those of etcd do.',
    loads: [{ ...MANY, share: 0.5 }],
    shows: 'latency',
    rows: [
      ...own,
      ...paced('3 nodes', rowsOf(echo(SIZE), 'lines')),
      ...others,
      ...(etcd === undefined ? [] : paced(`etcd × 3`, rowsOf(cluster(3), 'raftline'))),
    ],
  };
}

function valuesTable(etcd: Etcd | undefined): Table {
  const sizes = [
    ['1 KiB', KIB],
    ['16 KiB', 16 * KIB],
  ] as const;
  return {
    name: 'values',
    title: 'Larger values',
    about: 'As beside etcd, with 64 callers and values of 1 and 16 KiB.',
    loads: [MANY],
    shows: 'ratio',
    rows: sizes.flatMap(([words, size]) => {
      const named = (rows: Row[]) => rows.map(row => ({ ...row, name: `${row.name}, ${words}` }));
      const own = named(rowsOf(cluster(3), 'raftline', size));
      if (etcd === undefined) return own;
      const other = etcdCluster(etcd, 3);
      return [...named(rowsOf(other, 'etcd3', size)), ...against(`${other.name}, ${words}`, own)];
    }),
  };
}

function nodesTable(): Table {
  return {
    name: 'nodes',
    title: 'From one to seven nodes',
    about: 'All on one machine, so that every node takes processor time from the others. 64 sockets.',
    loads: [MANY],
    shows: 'ratio',
    rows: [
      ...rowsOf(cluster(1), 'lines'),
      ...[3, 5, 7].flatMap(size => against('1 node', rowsOf(cluster(size), 'lines'))),
    ],
  };
}

/** Every table there is to measure; those beside etcd only where it is installed. */
export function allTables(etcd: Etcd | undefined): Table[] {
  return [
    limitTable(),
    ...(etcd === undefined ? [] : [etcdTable(etcd)]),
    openTable(etcd),
    valuesTable(etcd),
    nodesTable(),
  ];
}
