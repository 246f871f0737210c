import { once } from 'node:events';
import { connect } from 'node:net';
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { expect } from 'chai';
import { GrpcLink } from '../../src/node/grpc/link.ts';
import { CONVERSE, type PeerMessages } from '../../src/node/grpc/peer-messages.ts';
import type { RunningNode } from '../../src/node/options.ts';
import { clusterOf } from '../../src/node/peers.ts';
import { failureIn } from '../../src/wire/grpc-status.ts';
import { eventually } from '../shared/cluster.ts';
import { freePort } from '../shared/free-ports.ts';
import { LineClient } from '../shared/line-client.ts';
import { startNode } from '../shared/nodes.ts';
import { GrpcClient } from './grpc-client.ts';

const NODES = [
  { id: 'n1', address: '127.0.0.1:1' },
  { id: 'n2', address: '127.0.0.1:2' },
];
const GREETING = { protocol: 1, cluster: clusterOf(NODES), from: 'n2', to: 'n1' };

describe('a node that others call over gRPC', () => {
  let node: RunningNode;
  let client: GrpcClient;

  beforeEach(async () => {
    node = await startNode(3, { nodes: NODES, idleMidLine: 300 });
    client = new GrpcClient(node.address);
  });
  afterEach(async () => {
    client.close();
    await node.close();
  });

  type Stream = ClientDuplexStream<PeerMessages, PeerMessages>;

  function call(...first: object[]): {
    stream: Stream;
    heard: object[];
    ended: Promise<ServiceError | null>;
  } {
    const stream: Stream = client.client.makeBidiStreamRequest(
      CONVERSE.path,
      CONVERSE.requestSerialize as (messages: PeerMessages) => Buffer,
      CONVERSE.responseDeserialize as (bytes: Buffer) => PeerMessages,
    );
    const heard: object[] = [];
    stream.on('data', ({ messages }: PeerMessages) => heard.push(...messages));
    const ended = new Promise<ServiceError | null>(resolve => {
      stream.on('error', resolve).on('end', () => resolve(null));
    });
    for (const message of first) stream.write({ messages: [message as Record<string, unknown>] });
    return { stream, heard, ended };
  }

  async function isWell(): Promise<void> {
    const lines = await LineClient.connect(node.address);
    expect(await lines.ask('ping')).to.include({ ok: true });
    await lines.close();
  }

  it('refuses one that calls by lines, which could not be answered, in words that say what to do', async () => {
    const lines = await LineClient.connect(node.address);
    lines.send({ op: 'peer', ...GREETING });
    const { error } = JSON.parse(await lines.line());
    expect(error).to.include({
      code: 'CLUSTER_MISMATCH',
      retry: false,
      message: 'n2 speaks lines to other nodes, and n1 gRPC: start both with the same --transport',
    });
    await lines.close();
    await isWell();
  });

  it('closes a connection that ends before it has said in which way it speaks', async () => {
    for (const said of ['', 'PRI * HT']) {
      const socket = connect(Number(node.address.split(':')[1]), '127.0.0.1', () => socket.end(said));
      socket.resume();
      await once(socket, 'close');
    }
    await isWell();
  });

  it('welcomes one of its cluster', async () => {
    const { heard, stream } = call({ greeting: GREETING });
    await eventually('it is welcomed', () => heard.length > 0);
    expect(heard[0]).to.have.property('welcome').that.includes({ node: 'n1', protocol: 1 });
    stream.cancel();
  });

  const strangers: [title: string, greeting: object, words: RegExp][] = [
    ['of another cluster', { ...GREETING, cluster: 'other' }, /belongs to cluster .*, not "other"/],
    ['that means another node', { ...GREETING, to: 'n9' }, /this is n1, not "n9"/],
    ['that is no member', { ...GREETING, from: 'n9' }, /knows no node "n9"/],
    ['of another version', { ...GREETING, protocol: 2 }, /speaks version 1/],
    ['that says nothing', {}, /speaks version 1/],
  ];
  for (const [title, greeting, words] of strangers) {
    it(`refuses one ${title}, with the reason`, async () => {
      const { ended } = call({ greeting });
      const error = await ended;
      const refusal = failureIn(error?.details ?? '', name => error?.metadata.get(name)[0]?.toString());
      expect(refusal?.code).to.equal('CLUSTER_MISMATCH');
      expect(refusal?.message).to.match(words);
    });
  }

  it('refuses one that does not greet', async () => {
    const { ended } = call({ heartbeat: { term: 99 } });
    expect((await ended)?.metadata.get('raftline-code')).to.deep.equal(['CLUSTER_MISMATCH']);
  });

  it('ends the call of one that says what is no message, and stays well', async () => {
    const messages: object[] = [
      {},
      { replicate: { number: 1 } },
      { replicate: { number: 1, command: { get: { key: '/a' } } } },
      { replicate: { number: 1, command: { set: { key: '', value: '' } } } },
      { forward: { number: 1, patience: 1 } },
      { forwarded: { number: 1, error: { details: '{' } } },
      { greeting: GREETING },
    ];
    for (const message of messages) {
      const { heard, stream, ended } = call({ greeting: GREETING });
      await eventually('it is welcomed', () => heard.length > 0);
      stream.write({ messages: [message as Record<string, unknown>] });
      expect(await ended, JSON.stringify(message)).to.be.instanceOf(Error);
      await isWell();
    }
  });

  it('answers on the call that asks', async () => {
    const { heard, stream } = call({ greeting: GREETING });
    stream.write({
      messages: [{ forward: { number: 7, patience: 1_000, request: { list: { values: true } } } }],
    });
    await eventually('it answers', () => heard.length > 1);
    expect(heard[1]).to.have.property('forwarded').that.deep.includes({ number: 7 });
    stream.cancel();
  });

  it('hears the newest call of a node, and ends the one before', async () => {
    const first = call({ greeting: GREETING });
    await eventually('the first is welcomed', () => first.heard.length > 0);
    const second = call({ greeting: GREETING });
    await eventually('the second is welcomed', () => second.heard.length > 0);
    expect(await first.ended).to.be.instanceOf(Error);
    second.stream.cancel();
  });

  it('still takes lines, however they come', async () => {
    const lines = await LineClient.connect(node.address);
    for (const byte of '{"op":"ping"}\n') {
      lines.bytes(byte);
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(await lines.reply()).to.include({ pong: true });
    await lines.close();
    const other = await LineClient.connect(node.address);
    other.bytes('PRI * is no request\nping\n');
    expect((await other.reply()).error?.code).to.equal('BAD_JSON');
    expect(await other.reply()).to.include({ pong: true });
    await other.close();
  });

  it('still ends HTTP/1 at once, and carries out nothing that follows', async () => {
    const lines = await LineClient.connect(node.address);
    lines.bytes('POST / HTTP/1.1\r\n\r\n{"op":"set","key":"/http","value":"1"}\n');
    await lines.ending();
    expect((await client.ask('Get', { key: '/http' })).reply.value).to.equal(null);
  });

  it('takes the beginning of HTTP/2 in pieces, and does not wait for its end for ever', async () => {
    const { host, port } = { host: '127.0.0.1', port: Number(node.address.split(':')[1]) };
    const socket = connect({ host, port });
    const closed = new Promise(resolve => socket.on('close', resolve));
    socket.on('error', () => {});
    socket.write('PRI * HTT');
    await closed;
    await isWell();
  });
});

describe('a node that calls another over gRPC', () => {
  it('is welcomed once, and sends nothing that the schema has no place for', async () => {
    const node = await startNode(3, { nodes: NODES });
    const peer = { id: 'n1', address: node.address };
    const events = { ups: 0, downs: 0 };
    const listener = {
      up: () => {
        events.ups += 1;
      },
      down: () => {
        events.downs += 1;
      },
      answered: () => {},
    };
    const good = new GrpcLink(peer, { op: 'peer', ...GREETING } as never, undefined, listener);
    try {
      await eventually('it is up', () => good.isUp);
      expect(events).to.deep.equal({ ups: 1, downs: 0 });
      expect(good.send({ header: { type: 'heartbeat', term: 1, commit: 0, round: 1 }, lines: [] })).to.equal(
        true,
      );
      // The schema has no place for it: it is not sent, and nothing breaks.
      expect(good.send({ header: { type: 'no such', term: 1 }, lines: [] })).to.equal(false);
    } finally {
      good.close();
      await node.close();
    }
  });

  it('takes nothing while there is no connection, says so when it breaks, and comes up again by itself', async () => {
    const listen = { host: '127.0.0.1', port: await freePort() };
    let node = await startNode(3, { nodes: NODES, listen });
    let ups = 0;
    let downs = 0;
    const link = new GrpcLink(
      { id: 'n1', address: node.address },
      { op: 'peer', ...GREETING } as never,
      undefined,
      {
        up: () => {
          ups += 1;
        },
        down: () => {
          downs += 1;
        },
        answered: () => {},
      },
    );
    try {
      await eventually('it is up', () => ups === 1);
      await node.close();
      await eventually('it is down', () => downs === 1);
      expect(link.isUp).to.equal(false);
      expect(link.send({ header: { type: 'timeout-now', term: 1 }, lines: [] })).to.equal(false);
      node = await startNode(3, { nodes: NODES, listen });
      await eventually('it is up again', () => ups === 2);
    } finally {
      link.close();
      await node.close();
    }
  });
});
