import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { service as healthService } from 'grpc-health-check';
import { GrpcListener } from '../../src/node/grpc/door.ts';
import type { RunningNode } from '../../src/node/options.ts';
import { formatAddress, type NodeAddress } from '../../src/wire/address.ts';
import { eventually } from '../shared/cluster.ts';
import { freePort } from '../shared/free-ports.ts';
import { LineClient } from '../shared/line-client.ts';
import { MuteService } from '../shared/mute-service.ts';
import { startNode } from '../shared/nodes.ts';
import { GrpcClient, methodOf } from './grpc-client.ts';

const LOCAL = { host: '127.0.0.1', port: 0 };

describe('the services over gRPC', () => {
  let node: RunningNode;
  let client: GrpcClient;

  before(async () => {
    node = await startNode(0, { grpcListen: LOCAL });
    client = new GrpcClient(node.grpcAddress ?? '');
  });
  after(async () => {
    client.close();
    await node.close();
  });

  it('share the store with the lines', async () => {
    const { reply } = await client.ask('Set', { key: '/shared', value: 'é' });
    const lines = await LineClient.connect(node.address);
    expect(await lines.ask({ op: 'get', key: '/shared' })).to.include({ value: 'é', mod: reply.mod });
    await lines.close();
  });

  it('give numbers as they are, up to the largest that is exact', async () => {
    const if1 = [{ mod: Number.MAX_SAFE_INTEGER }];
    const { reply } = await client.ask('Set', { key: '/numbers', value: '', if: if1 });
    expect(reply.error?.message).to.contain('9007199254740991');
    const beyond = await client.ask('Set', { key: '/numbers', value: '', if: [{ mod: 2 ** 53 }] });
    expect(beyond.reply.error).to.include({ code: 'BAD_REQUEST' });
  });

  it('end with the status that stands for the error, and all that we know in the trailing metadata', async () => {
    const { reply, code } = await client.ask('Set', { key: '/ü', value: '', if: [{ mod: 41 }] });
    expect(code).to.equal(status.ABORTED);
    expect(reply.error).to.deep.equal({
      code: 'CONFLICT',
      message: '/ü is at 0, not 41; read it again and decide anew',
      definite: true,
      retry: false,
      key: '/ü',
      mod: 0,
    });
  });

  const refusals: [title: string, name: string, fields: object, code: number, error: string][] = [
    ['a field that is missing', 'Get', {}, status.INVALID_ARGUMENT, 'BAD_REQUEST'],
    ['an empty key', 'Get', { key: '' }, status.INVALID_ARGUMENT, 'BAD_REQUEST'],
    ['an empty condition', 'Set', { key: '/a', value: '', if: [{}] }, status.INVALID_ARGUMENT, 'BAD_REQUEST'],
    ['a key that is too long', 'Get', { key: 'x'.repeat(1_025) }, status.INVALID_ARGUMENT, 'TOO_LARGE'],
    ['what comes with a later stage', 'Hash', {}, status.UNIMPLEMENTED, 'WRONG_STAGE'],
    [
      'a request that is longer than a line',
      'Set',
      { key: '/a', value: 'x'.repeat(1_048_576) },
      status.RESOURCE_EXHAUSTED,
      'LINE_TOO_LONG',
    ],
  ];
  for (const [title, name, fields, code, error] of refusals) {
    it(`refuse ${title}`, async () => {
      const ended = await client.ask(name, fields as Record<string, unknown>);
      expect(ended.code, ended.details).to.equal(code);
      expect(ended.reply.error?.code).to.equal(error);
    });
  }

  it('refuse a far too long request before it has come', async () => {
    const { code } = await client.ask('Set', { key: '/a', value: 'x'.repeat(5_000_000) });
    expect(code).to.equal(status.RESOURCE_EXHAUSTED);
    expect((await client.ask('Ping')).code).to.equal(0);
  });

  /** The field `key` with these bytes. */
  const keyOf = (...bytes: number[]) => Buffer.from([0x0a, bytes.length, ...bytes]);

  it('refuse text that is not UTF-8, which a decoder would make into other text', async () => {
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0x2f, 0xc0, 0xaf]]) {
      const { reply } = await client.bytes('Get', keyOf(...bytes));
      expect(reply.error).to.include({ code: 'BAD_ENCODING', field: 'key' });
    }
    // In a condition, too: field 3 of a request, whose field 5 is the value.
    const { reply } = await client.bytes('Set', Buffer.from([0x1a, 3, 0x2a, 1, 0xff]));
    expect(reply.error).to.include({ code: 'BAD_ENCODING', field: 'value' });
  });

  it('refuse a field that the schema does not know, which a decoder would skip', async () => {
    const { reply } = await client.bytes('Get', Buffer.concat([keyOf(0x61), Buffer.from([0x98, 0x06, 1])]));
    expect(reply.error?.message).to.match(/GetRequest has no field number 99: its fields are key, read/);
  });

  it('refuse bytes that are no message, whatever they are, and go on', async () => {
    const wrong = [[0x0a, 5, 0x61], [0x0a], [0x0b], [0x07], [0x09, 1], [0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f]];
    for (const bytes of wrong) {
      const { reply } = await client.bytes('Get', Buffer.from(bytes));
      expect(reply.error?.code, bytes.join()).to.equal('BAD_REQUEST');
    }
    let seed = 1;
    for (let round = 0; round < 200; round += 1) {
      const bytes = Buffer.from(
        Array.from({ length: 1 + (round % 40) }, () => {
          seed = (seed * 48_271) % 2_147_483_647;
          return seed % 256;
        }),
      );
      const { reply } = await client.bytes('Set', bytes);
      expect(reply.ok, bytes.toString('hex')).to.equal(false);
      expect(reply.error?.code, bytes.toString('hex')).to.be.oneOf([
        'BAD_REQUEST',
        'BAD_ENCODING',
        'TOO_LARGE',
      ]);
    }
    expect((await client.ask('Ping')).reply).to.include({ pong: true });
  });

  it('do not offer the service between nodes beside', async () => {
    const stream = client.client.makeBidiStreamRequest(
      '/raftline.v1.Raft/Converse',
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
    );
    const [error] = await once(stream, 'error');
    expect(error.code).to.equal(status.UNIMPLEMENTED);
  });

  it('count their connections among the others', async () => {
    const { reply } = await client.ask('Status');
    expect(reply.connections).to.equal(1);
    const lines = await LineClient.connect(node.address);
    expect(await lines.ask('status')).to.include({ connections: 2 });
    await lines.close();
  });
});

describe('the health service', () => {
  let node: RunningNode;
  let data: string;
  let client: Client;
  const { Check, Watch } = healthService;

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
  });
  afterEach(async () => {
    client.close();
    await node.close();
    rmSync(data, { recursive: true, force: true });
  });

  async function start(nodes?: readonly NodeAddress[], listen = LOCAL): Promise<void> {
    node = await startNode(6, { data, listen, grpcListen: LOCAL, ...(nodes && { nodes }) });
    client = new Client(`dns:${node.grpcAddress}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_http_proxy': 0,
    });
  }

  function health(service: string): Promise<string> {
    if (Check === undefined) throw new Error('health has no check');
    const { path, requestSerialize, responseDeserialize } = Check;
    return new Promise(resolve => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, reply) => {
        resolve(error === null ? (reply as { status: string }).status : String(error.code));
      });
    });
  }

  it('says that a node that waits for its cluster serves, but not its store', async () => {
    await start();
    expect(await health('')).to.equal('SERVING');
    expect(await health('raftline.v1.Cluster')).to.equal('SERVING');
    expect(await health('raftline.v1.Kv')).to.equal('NOT_SERVING');
    expect(await health('no.such.Service')).to.equal(String(status.NOT_FOUND));
  });

  it('says so to whoever watches when a leader is there, and when the node stops', async () => {
    const port = await freePort();
    await start([{ id: 'n1', address: `127.0.0.1:${port}` }], { host: '127.0.0.1', port });
    if (Watch === undefined) throw new Error('health has no watch');
    const { path, requestSerialize, responseDeserialize } = Watch;
    const stream = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {
      service: 'raftline.v1.Kv',
    });
    const said: string[] = [];
    stream.on('data', ({ status: word }) => said.push(word));
    stream.on('error', () => {});
    await eventually('it serves', () => said.at(-1) === 'SERVING');
    await node.close();
    await eventually('it says that it stops', () => said.at(-1) === 'NOT_SERVING');
    node = { ...node, close: async () => {} };
  });
});

describe('connections over gRPC', () => {
  const nodes = [{ id: 'n1', address: '127.0.0.1:1' }];
  for (const [where, options] of [
    ['an address of their own', { grpcListen: LOCAL }],
    ['the address that nodes share with clients', { nodes, transport: 'grpc' }],
  ] as const) {
    it(`have no more room than the others at ${where}: those beyond are closed unheard`, async () => {
      const node = await startNode(options.nodes ? 3 : 0, { ...options, mostConnections: 2 });
      const lines = await LineClient.connect(node.address);
      await lines.ask('ping');
      const address = node.grpcAddress ?? node.address;
      const [first, second] = [new GrpcClient(address), new GrpcClient(address)];
      try {
        expect((await first.ask('Ping')).code).to.equal(0);
        for (let n = 0; n < 3; n += 1) expect((await second.ask('Ping')).code).to.equal(status.UNAVAILABLE);
        await eventually('it is gone', async () => (await lines.ask('status')).connections === 2);
        first.close();
        await eventually('it has the room of the first', async () => (await second.ask('Ping')).code === 0);
      } finally {
        first.close();
        second.close();
        await lines.close();
        await node.close();
      }
    });
  }
});

describe('a call over gRPC', () => {
  let service: MuteService;
  let client: GrpcClient;
  let address: string;

  beforeEach(async () => {
    service = new MuteService();
    const listener = new GrpcListener(service.server);
    address = formatAddress({ host: LOCAL.host, port: await listener.listen(LOCAL) });
    service.server.gates.push(listener);
    await service.listen();
    client = new GrpcClient(address);
  });
  afterEach(async () => {
    for (const at of service.asked.keys()) service.answer(at);
    client.close();
    await service.server.close();
  });

  /** Requests that are not the health check's own. */
  const asked = () => service.asked.filter(({ request }) => request.op !== 'hello');

  it('ends at its deadline, and tells the service when that is', async () => {
    const began = performance.now();
    const { code } = await client.ask('Set', { key: '/a', value: '1' }, { deadline: Date.now() + 300 });
    expect(code).to.equal(status.DEADLINE_EXCEEDED);
    const left = (asked()[0]?.responder.deadline ?? 0) - began;
    expect(left).to.be.within(0, 2_000);
  });

  it('ends when its own time is up, in our words', async () => {
    const { reply, code } = await client.ask('Set', { key: '/a', value: '1', timeout: 200 });
    expect(code).to.equal(status.DEADLINE_EXCEEDED);
    expect(reply.error).to.include({ code: 'TIMEOUT', definite: false, retry: true });
    expect((await client.ask('Get', { key: '/a', timeout: 100 })).reply.error).to.include({
      code: 'TIMEOUT',
      definite: true,
    });
  });

  it('that is cancelled leaves nothing behind, and its answer is for nobody', async () => {
    const { path, requestSerialize } = methodOf('Get').definition;
    const call = client.client.makeUnaryRequest(
      path,
      requestSerialize,
      (bytes: Buffer) => bytes,
      { key: '/a' },
      () => {},
    );
    await eventually('it is asked', () => asked().length === 1);
    call.cancel();
    const [{ responder } = { responder: { deadline: 0 } }] = asked();
    await eventually('it counts as given up', () => responder.deadline <= performance.now());
    service.answer(service.asked.findIndex(({ request }) => request.op === 'get'));
    const ping = client.ask('Ping');
    await eventually('the next one is asked', () => asked().length === 2);
    service.answer(service.asked.findIndex(({ request }) => request.op === 'ping'));
    expect((await ping).code).to.equal(0);
  });

  it('that is under way when the node stops is answered first', async () => {
    const get = client.ask('Get', { key: '/a' });
    await eventually('it is asked', () => asked().length === 1);
    const closed = service.server.close();
    service.answer(service.asked.findIndex(({ request }) => request.op === 'get'));
    expect((await get).code).to.equal(0);
    client.close();
    await closed;
    const late = new GrpcClient(address);
    expect((await late.ask('Ping')).code).to.equal(status.UNAVAILABLE);
    late.close();
  });

  describe('of which only the beginning has come', () => {
    let session: ClientHttp2Session;
    const streams: ClientHttp2Stream[] = [];

    beforeEach(() => {
      session = connectHttp2(`http://${address}`);
      session.on('error', () => {});
    });
    afterEach(() => {
      streams.length = 0;
      session.destroy();
    });

    function begin(): ClientHttp2Stream {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/raftline.v1.Kv/Get',
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      stream.on('error', () => {});
      streams.push(stream);
      return stream;
    }

    it('is one of a bounded number: of those that are slow, the oldest beyond it are sent away', async () => {
      for (let count = 0; count < 66; count += 1) begin().write(Buffer.from([0, 0, 4]));
      const [first, second, third] = streams;
      const codes = await Promise.all(
        [first, second].map(async stream => {
          const [headers] = await once(stream as ClientHttp2Stream, 'response');
          return headers['raftline-code'];
        }),
      );
      expect(codes).to.deep.equal(['BUSY', 'BUSY']);
      expect(third?.closed).to.equal(false);
      const ping = client.ask('Ping');
      await eventually('another is asked', () => asked().length === 1);
      service.answer(service.asked.findIndex(({ request }) => request.op === 'ping'));
      expect((await ping).code).to.equal(0);
    });
  });
});
