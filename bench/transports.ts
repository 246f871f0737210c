import { rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { type Client, connect } from '../client/client.ts';
import { NodeProcess } from '../lab/node-process.ts';
import { STAGES } from '../stages/stages.ts';
import { ByteCounter } from './byte-counter.ts';
import { describeDisk, makeDirectory } from './disk.ts';
import type { Way } from './load.ts';
import { measureTable, type Plan } from './measure.ts';
import { freePorts } from './ports.ts';
import { printLoad } from './report.ts';
import { keysOf, textOf } from './requests.ts';
import { cluster, type Subject, stage } from './subjects.ts';
import type { Row, Table } from './tables.ts';

const FULL: Plan = { rounds: 5, warmUp: 300, duration: 1_000, isQuick: false };
const QUICK: Plan = { rounds: 3, warmUp: 100, duration: 300, isQuick: true };
/** Characters of a value. */
const SIZE = 100;
/** Operations whose bytes are counted, and milliseconds in which those that nobody asked for are. */
const COUNTED = 500;
const IDLE = 2_000;

const TRANSPORTS = ['lines', 'grpc'] as const;
type Transport = (typeof TRANSPORTS)[number];
const NAMES = { lines: 'lines', grpc: 'gRPC' } as const;
const LAST_STAGE = STAGES.at(-1)?.number ?? 0;

export interface TransportsOptions {
  readonly isQuick: boolean;
  readonly directory: string | undefined;
}

/** Measures lines beside gRPC: bytes and rates, of clients and between nodes, in one run. */
export async function transports({ isQuick, directory: parent }: TransportsOptions): Promise<void> {
  const directory = makeDirectory(parent);
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
  const plan = isQuick ? QUICK : FULL;
  const processors = cpus();
  console.log(`Node ${process.version}, ${processors.length} × ${processors[0]?.model.trim()}`);
  console.log(describeDisk(directory));
  console.log(`medians of ${plan.rounds} rounds of ${plan.duration} ms; values of ${SIZE} bytes`);

  await printBytes(join(directory, 'bytes'));
  for (const table of [oneNode(), threeNodes()]) {
    console.log(`\n\n${table.title}\n${table.about}`);
    await measureTable(table, plan, join(directory, table.name), printLoad);
  }
}

/** Rows that write and read in one way; those of the second subject or way are compared with `against`. */
function rows(subject: Subject, way: Way, name: string, against?: string): Row[] {
  return (['set', 'get'] as const).map(op => {
    const words = op === 'set' ? 'write' : 'read';
    const other = against === undefined ? {} : { against: `${words}, ${against}` };
    return { name: `${words}, ${name}`, subject, way, op, size: SIZE, ...other };
  });
}

const LOADS = [1, 64].map(callers => ({ callers, depth: 1 }));

function oneNode(): Table {
  const node = stage(0, ['--transport', 'grpc']);
  return {
    name: 'node',
    title: 'One node of stage 0, over either transport',
    about: 'The client library, one connection; a promise for each request.',
    loads: LOADS,
    shows: 'ratio',
    rows: [...rows(node, 'raftline', 'lines'), ...rows(node, 'grpc', 'gRPC', 'lines')],
  };
}

function threeNodes(): Table {
  const [lines, grpc] = TRANSPORTS.map(name => cluster(3, ['--transport', name], ` over ${NAMES[name]}`));
  if (lines === undefined || grpc === undefined) throw new Error('there are two transports');
  const base = 'lines, nodes lines';
  return {
    name: 'cluster',
    title: 'Three nodes of the last stage',
    about: 'The client library at the leader, over lines or gRPC; between nodes lines or gRPC.',
    loads: LOADS,
    shows: 'ratio',
    rows: [
      ...rows(lines, 'raftline', base),
      ...rows(grpc, 'raftline', 'lines, nodes gRPC', base),
      ...rows(grpc, 'grpc', 'gRPC, nodes gRPC', base),
    ],
  };
}

/** Bytes of one operation, without what TCP and IP add. */
interface Bytes {
  readonly write: number;
  readonly read: number;
  readonly between: number;
}

async function printBytes(directory: string): Promise<void> {
  const counted = new Map<Transport, Bytes>();
  for (const transport of TRANSPORTS) {
    counted.set(transport, await countBytes(transport, join(directory, transport)));
  }
  console.log(
    '\nBytes of one operation, one at a time: request and reply, and what three nodes say to each other',
  );
  console.log(`${''.padEnd(34)}${TRANSPORTS.map(name => NAMES[name].padStart(10)).join('')}`);
  const words: readonly (readonly [keyof Bytes, string])[] = [
    ['write', 'write, client and node'],
    ['read', 'read, client and node'],
    ['between', 'write, between three nodes'],
  ];
  for (const [what, name] of words) {
    const cells = TRANSPORTS.map(transport => Math.round(counted.get(transport)?.[what] ?? 0));
    console.log(`${name.padEnd(34)}${cells.map(cell => cell.toLocaleString('en').padStart(10)).join('')}`);
  }
}

/** Counts what goes through the proxies of a cluster: one between its nodes, and one before its leader. */
async function countBytes(transport: Transport, directory: string): Promise<Bytes> {
  const [between, before] = [new ByteCounter(), new ByteCounter()];
  const proxy = await between.listen();
  const ports = await freePorts(3);
  const members = ports.map((port, at) => ({ id: `n${at + 1}`, address: `127.0.0.1:${port}` }));
  const list = members.map(({ id, address }) => `${id}=${address}`).join(',');
  const nodes = members.map(({ id, address }) => {
    const ways = ['--transport', transport, '--peer-proxy', `http://${id}@127.0.0.1:${proxy}`];
    const flags = ['--stage', String(LAST_STAGE), '--nodes', list, '--data', join(directory, id), ...ways];
    return new NodeProcess({ id, address }, { flags });
  });
  const client = connect(members.map(({ address }) => address));
  try {
    await Promise.all(nodes.map(node => node.start()));
    await client.set('/first', '');
    const { leader } = await client.status();
    const way = await before.wayTo(leader?.address ?? '');
    // A session would be asked for once, and a name for every change.
    const counted = connect(`${transport === 'grpc' ? 'grpc://' : ''}${way.address}`, { session: false });
    const write = await each(counted, before, between, key => counted.set(key, textOf(SIZE)));
    const read = await each(counted, before, between, key => counted.get(key));
    await counted.close();
    way.close();
    return { write: write.client, read: read.client, between: write.nodes };
  } finally {
    await client.close();
    await Promise.all(nodes.map(node => node.stop()));
    between.close();
    before.close();
  }
}

/** Bytes of one operation, on average; what the nodes say when nobody asks them anything is taken off. */
async function each(
  client: Client,
  before: ByteCounter,
  between: ByteCounter,
  operation: (key: string) => Promise<unknown>,
): Promise<{ readonly client: number; readonly nodes: number }> {
  await client.ping();
  const idle = between.bytes;
  await new Promise(resolve => setTimeout(resolve, IDLE));
  const perMillisecond = (between.bytes - idle) / IDLE;
  const [clientBytes, nodeBytes, began] = [before.bytes, between.bytes, performance.now()];
  for (const key of keysOf(SIZE).slice(0, COUNTED)) await operation(key);
  const took = performance.now() - began;
  return {
    client: (before.bytes - clientBytes) / COUNTED,
    nodes: (between.bytes - nodeBytes - perMillisecond * took) / COUNTED,
  };
}
