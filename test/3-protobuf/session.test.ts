import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Client, ClientError, connect } from '../../client/client.ts';
import type { TransportName } from '../../src/node/transports.ts';
import { type Fields, fromMessage, type Message, toMessage } from '../../src/wire/messages.ts';
import { METHODS, type Method } from '../../src/wire/schema.ts';
import { STAGES } from '../../stages/stages.ts';
import { eventually } from '../shared/cluster.ts';
import { freePort } from '../shared/free-ports.ts';
import { startNode } from '../shared/nodes.ts';
import { GrpcClient } from './grpc-client.ts';

const LAST = STAGES.at(-1)?.number ?? 0;

const text = (length: number) => 'x'.repeat(length);
const txn = (then: object[], more: object = {}) => ['txn', { then, ...more }] as const;
const set = (key: string, value: string, more: object = {}) => ['set', { key, value, ...more }] as const;

/** Requests of every kind and what is wrong with them, as they might be recorded from one client. */
const SESSION: readonly (readonly [op: string, fields: object])[] = [
  ['ping', {}],
  ['hello', {}],
  ['help', {}],
  ['members', {}],
  ['hash', {}],
  ['get', { key: '/none' }],
  set('/a', '1'),
  set('/a', '2', { prev: true }),
  set('/b', '', { prev: true }),
  set('/__proto__', 'constructor'),
  set('/ü/\u2028\n\0', '😀'),
  ['get', { key: '/a' }],
  ['get', { key: '/ü/\u2028\n\0', read: 'stale' }],
  ['get', { key: '/a', read: 'linearizable' }],
  ['get', { key: '/a', read: 'fresh' }],
  ['get', { key: '' }],
  ['get', { key: 7 }],
  ['get', {}],
  ['get', { key: '/a', kez: 1 }],
  ['get', { key: text(1_025) }],
  ['get', { key: '\ud800' }],
  set('/a', text(524_289)),
  ['set', { key: '/a' }],
  ['set', { key: '/a', value: null }],
  ['set', { key: '/a', value: 1e300 }],
  set('/a', '3', { if: { mod: 99 } }),
  set('/a', '3', { if: [{ mod: 99 }] }),
  set('/a', '3', { if: [{ absent: true }] }),
  set('/a', '3', { if: [{ exists: true }, { key: '/b', value: '' }] }),
  set('/a', '4', { if: [{}] }),
  set('/a', '4', { if: [] }),
  set('/a', '4', { if: { mod: 2 ** 53 } }),
  set('/a', '4', { if: { mod: 1.5 } }),
  set('/a', '4', { if: [{ absent: false }] }),
  set('/a', '4', { lease: 99 }),
  set('/a', '4', { session: 99, seq: 1 }),
  set('/a', '4', { session: 99 }),
  ['remove', { key: '/none' }],
  ['remove', {}],
  ['remove', { key: '/b', prefix: '/' }],
  ['remove', { key: '/b' }],
  set('/l/1', 'a'),
  set('/l/2/x', 'b'),
  set('/l/2/y', 'c'),
  ['list', {}],
  ['list', { prefix: '/l/', values: true }],
  ['list', { prefix: '/l/', depth: 1, values: true }],
  ['list', { prefix: '/none/' }],
  ['list', { prefix: '/none/', values: true }],
  ['list', { prefix: '/l/', limit: 1 }],
  ['list', { prefix: '/l/', limit: 1, after: '/l/1', values: false }],
  ['list', { limit: 10_001 }],
  txn([{ op: 'set', key: '/t', value: '1', prev: true }], { if: [{ key: '/a', exists: true }] }),
  txn([], {
    if: [{ key: '/a', mod: 1 }],
    else: [
      { op: 'get', key: '/none' },
      { op: 'get', key: '/a' },
      { op: 'list', prefix: '/none/' },
      { op: 'list', prefix: '/none/', values: true },
      { op: 'list', prefix: '/l/', values: true, limit: 1 },
      { op: 'remove', prefix: '/l/2/' },
      { op: 'set', key: '/t', value: '2', prev: true },
    ],
  }),
  txn([{ op: 'set', key: '/t', value: '3', if: [{ absent: true }] }]),
  txn([{ op: 'get', key: '/a', read: 'stale' }]),
  txn([{ op: 'grant', ttl: 1 }]),
  txn([{ key: '/a' }]),
  txn([], { if: [{ mod: 1 }] }),
  ['grant', { ttl: 1_000 }],
  ['grant', { ttl: 0 }],
  set('/leased', 'x', { lease: 1 }),
  ['get', { key: '/leased' }],
  ['list', { prefix: '/leased', values: true }],
  ['leases', { limit: 1 }],
  ['renew', { lease: 1 }],
  ['renew', { lease: 2 }],
  ['revoke', { lease: 1 }],
  ['leases', {}],
  ['session', { ttl: 100 }],
  set('/once', '1', { session: 1, seq: 1 }),
  set('/once', '1', { session: 1, seq: 1 }),
  set('/once', '2', { session: 1, seq: 1 }),
  ['transfer-leader', { to: 'n9' }],
  ['init', { nodes: { n1: '127.0.0.1:1' } }],
  ['init', { nodes: { n1: 'nowhere' } }],
  ['init', { nodes: {} }],
  ['hash', {}],
  ['nonsense', {}],
  ['gett', { key: '/a' }],
  ['get', { key: '/a', forward: false }],
];

/** Fields that two runs differ in, whatever the transport. */
const VOLATILE = [
  'uptime',
  'log',
  'term',
  'applied',
  'commit',
  'hash',
  'left',
  'instance',
  'origin',
  'connections',
];

function steady(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(steady);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, content]) =>
      VOLATILE.includes(name) ? [name, typeof content] : [name, steady(content)],
    ),
  );
}

describe('the same session over either transport', function () {
  this.timeout(60_000);
  const answers = new Map<TransportName | 'calls', unknown[]>();
  const watched = new Map<TransportName, unknown[]>();
  let port: number;

  async function run(transport: TransportName, stage: number): Promise<void> {
    const data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    const nodes = [{ id: 'n1', address: `127.0.0.1:${port}` }];
    const listen = { host: '127.0.0.1', port };
    const node = await startNode(stage, { nodes, data, listen, transport });
    const scheme = transport === 'grpc' ? 'grpc://' : '';
    const client = connect(`${scheme}${node.address}`, { session: false });
    try {
      await eventually('it leads', async () => (await client.hello()).role === 'leader');
      answers.set(transport, await all(client));
      watched.set(transport, await watch(client));
    } finally {
      await client.close();
      await node.close();
      rmSync(data, { recursive: true, force: true });
    }
  }

  async function all(client: Client): Promise<unknown[]> {
    const answered: unknown[] = [];
    for (const [op, fields] of SESSION) answered.push(await answerTo(client, op, fields));
    const { id, ...status } = await client.status();
    answered.push(steady(status));
    return answered;
  }

  /** The session as calls of a generic client, which checks nothing: of requests that it can say, at a node of its own. */
  async function asCalls(stage: number): Promise<void> {
    const data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    const nodes = [{ id: 'n1', address: `127.0.0.1:${port}` }];
    const listen = { host: '127.0.0.1', port };
    const node = await startNode(stage, { nodes, data, listen, transport: 'grpc' });
    const client = new GrpcClient(node.address);
    try {
      await eventually('it leads', async () => (await client.ask('Hello')).reply.role === 'leader');
      const answered: unknown[] = [];
      for (const [op, fields] of SESSION) answered.push(await calledFor(client, op, fields as Fields));
      answers.set('calls', answered);
    } finally {
      client.close();
      await node.close();
      rmSync(data, { recursive: true, force: true });
    }
  }

  async function calledFor(client: GrpcClient, op: string, fields: Fields): Promise<unknown> {
    const method = METHODS.find(each => each.op === op);
    if (method === undefined || !canSay(method, fields)) return undefined;
    const { reply } = await client.ask(method.name, fields);
    const { error } = reply;
    if (error !== undefined) return steady({ error });
    const { [fields.values === true ? 'keys' : 'entries']: _unset, ...rest } = reply;
    return steady(op === 'list' ? rest : reply);
  }

  /** Whether a message holds all that the line says, and no more. */
  function canSay({ request, definition }: Method, fields: Fields): boolean {
    try {
      const message = definition.requestDeserialize(definition.requestSerialize(toMessage(request, fields)));
      expect(fromMessage(request, message as Message)).to.deep.equal(fields);
      return true;
    } catch {
      return false;
    }
  }

  async function answerTo(client: Client, op: string, fields: object): Promise<unknown> {
    try {
      const { id, ...reply } = JSON.parse(await client.requestLine(op, { ...fields }, { timeout: 3_000 }));
      return steady(reply);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      return steady({ error: error.failure });
    }
  }

  /** What a watch tells of all that was done, and one that begins too late. */
  async function watch(client: Client): Promise<unknown[]> {
    const seen: unknown[] = [];
    const { rev } = await client.get('/a');
    for await (const update of client.watch('', { from: 1 })) {
      seen.push(update);
      if ((update as { rev: number }).rev >= rev) break;
    }
    for await (const event of client.watchCluster()) {
      seen.push(steady(event));
      if (event.type === 'members') break;
    }
    return seen;
  }

  before(async () => {
    port = await freePort();
    for (const transport of ['lines', 'grpc'] as const) await run(transport, LAST);
    await asCalls(LAST);
  });

  for (const [at, [op, fields]] of SESSION.entries()) {
    const words = JSON.stringify(fields);
    it(`gets the same answer to ${op} ${words.length > 60 ? `${words.slice(0, 60)}…` : words}`, () => {
      expect(answers.get('grpc')?.[at]).to.deep.equal(answers.get('lines')?.[at]);
    });
  }

  it('gets the same answers as calls of a client that checks nothing by itself', () => {
    const calls = answers.get('calls') ?? [];
    const said = calls.flatMap((answer, at) => (answer === undefined ? [] : [{ at, answer }]));
    expect(said).to.have.length.greaterThan(55);
    for (const { at, answer } of said) {
      expect(answer, JSON.stringify(SESSION[at]).slice(0, 200)).to.deep.equal(answers.get('lines')?.[at]);
    }
  });

  it('gets the same status in the end', () => {
    expect(answers.get('grpc')?.at(-1)).to.deep.equal(answers.get('lines')?.at(-1));
  });

  it('is told the same by watches', () => {
    expect(watched.get('lines')).to.have.length.greaterThan(10);
    expect(watched.get('grpc')).to.deep.equal(watched.get('lines'));
  });
});
