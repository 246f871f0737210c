import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClientReadableStream, type ServiceError, status } from '@grpc/grpc-js';
import { expect } from 'chai';
import type { RunningNode } from '../../src/node/options.ts';
import { failureIn } from '../../src/wire/grpc-status.ts';
import type { Message } from '../../src/wire/messages.ts';
import { eventually } from '../shared/cluster.ts';
import { freePort } from '../shared/free-ports.ts';
import { startNode } from '../shared/nodes.ts';
import { GrpcClient } from './grpc-client.ts';

describe('a watch over gRPC', function () {
  this.timeout(60_000);
  let node: RunningNode;
  let data: string;
  let client: GrpcClient;

  beforeEach(async () => {
    data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    const listen = { host: '127.0.0.1', port: await freePort() };
    const nodes = [{ id: 'n1', address: `127.0.0.1:${listen.port}` }];
    node = await startNode(6, { nodes, data, listen, grpcListen: { host: '127.0.0.1', port: 0 } });
    client = new GrpcClient(node.grpcAddress ?? '');
    await eventually('it leads', async () => (await client.ask('Hello')).reply.role === 'leader');
  });
  afterEach(async () => {
    client.close();
    await node.close();
    rmSync(data, { recursive: true, force: true });
  });

  const set = async (key: string, value: string) => (await client.ask('Set', { key, value })).reply.mod;
  const watches = async () => (await client.ask('Status')).reply.watches;

  function collect(stream: ClientReadableStream<Message>): {
    messages: Message[];
    ended: Promise<ServiceError>;
  } {
    const messages: Message[] = [];
    stream.on('data', message => messages.push(message));
    const ended = new Promise<ServiceError>(resolve => stream.on('error', resolve));
    return { messages, ended };
  }

  const codeOf = ({ metadata }: ServiceError) => metadata.get('raftline-code')[0];

  it('begins with a word that it has, goes on with each revision, and ends when it is cancelled', async () => {
    const stream = client.stream('Watch', { prefix: '/a/' });
    const { messages, ended } = collect(stream);
    await eventually('it has begun', () => messages.length === 1);
    expect(messages[0]).to.include({ watch: 1 });
    const mod = await set('/a/b', 'é');
    await set('/c', '');
    await client.ask('Remove', { key: '/a/b' });
    await eventually('all is told', () => messages.length === 3);
    expect(messages[1]).to.deep.include({ rev: mod });
    expect(messages.flatMap(({ events = [] }) => events)).to.have.length(2);
    expect(await watches()).to.equal(1);
    stream.cancel();
    expect((await ended).code).to.equal(status.CANCELLED);
    await eventually('nothing is left of it', async () => (await watches()) === 0);
  });

  it('is refused with the error that a line gets', async () => {
    const { ended } = collect(client.stream('Watch', { prefix: '', from: 1_000_000 }));
    const error = await ended;
    expect(error.code).to.equal(status.OUT_OF_RANGE);
    expect(failureIn(error.details, name => error.metadata.get(name)[0]?.toString())).to.include({
      code: 'FUTURE_REV',
      definite: true,
    });
    const wrong = await collect(client.stream('Watch', {})).ended;
    expect(codeOf(wrong)).to.equal('BAD_REQUEST');
  });

  it('that is not read holds back nobody else, and ends with SLOW_CONSUMER, from where to go on', async () => {
    const stream = client.stream('Watch', { prefix: '/slow/' });
    stream.on('error', () => {});
    await once(stream, 'data');
    stream.pause();
    const value = 'v'.repeat(500_000);
    const quick = collect(client.stream('Watch', { prefix: '/slow/' }));
    await eventually('both have begun', async () => (await watches()) === 2);
    let last = 0;
    // A reader that pauses still takes a few messages, the connection holds some, and the node owes it some.
    for (let count = 0; count < 80; count += 1) last = await set(`/slow/${count}`, value);
    await eventually('the other one is told all', () => quick.messages.at(-1)?.rev === last);
    await eventually('the slow one is closed', async () => (await watches()) === 1);
    const slow = collect(stream);
    stream.resume();
    const error = await slow.ended;
    expect(codeOf(error)).to.equal('SLOW_CONSUMER');
    const failure = failureIn(error.details, name => error.metadata.get(name)[0]?.toString());
    const told = slow.messages.filter(({ events }) => events !== undefined);
    expect(failure?.resume).to.equal(Number(told.at(-1)?.rev) + 1);
  });

  it('of the cluster shows how it is', async () => {
    const { messages } = collect(client.stream('WatchCluster'));
    await eventually('it is told', () => messages.length === 2);
    const [leader, members] = (messages[1]?.events ?? []) as Message[];
    expect(leader).to.have.nested.property('leader.id', 'n1');
    expect(members).to.have.nested.property('members.members').with.length(1);
  });

  it('ends with where to go on when the node stops', async () => {
    const { messages, ended } = collect(client.stream('Watch', { prefix: '' }));
    await eventually('it has begun', () => messages.length === 1);
    const mod = await set('/a', '1');
    await eventually('it is told', () => messages.length === 2);
    const closed = node.close();
    node = { ...node, close: () => closed };
    const error = await ended;
    expect(codeOf(error), error.message).to.equal('SHUTTING_DOWN');
    const failure = failureIn(error.details, name => error.metadata.get(name)[0]?.toString());
    expect(failure).to.include({ resume: mod + 1, retry: true });
  });
});
