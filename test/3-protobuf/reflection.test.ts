import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Client, credentials, makeGenericClientConstructor, type ServiceError } from '@grpc/grpc-js';
import {
  loadFileDescriptorSetFromBuffer,
  loadSync,
  type PackageDefinition,
  type ServiceDefinition,
} from '@grpc/proto-loader';
import { expect } from 'chai';
import descriptor, {
  type IDescriptorProto,
  type IFileDescriptorProto,
} from 'protobufjs/ext/descriptor/index.js';
import type { RunningNode } from '../../src/node/options.ts';
import { startNode } from '../shared/nodes.ts';

const { FileDescriptorProto, FileDescriptorSet } = descriptor;

/** The standard proto of reflection, which is all that a generic client brings. */
const home = dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json'));
const options = { keepCase: true, longs: Number, enums: String };
const standard = loadSync(join(home, 'build/proto/grpc/reflection/v1/reflection.proto'), options);
const reflection = (standard['grpc.reflection.v1.ServerReflection'] as ServiceDefinition)
  .ServerReflectionInfo;
if (reflection === undefined) throw new Error('reflection has no method');

type Answer = Readonly<Record<string, never>> & {
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] };
  readonly file_descriptor_response?: { readonly file_descriptor_proto: readonly Buffer[] };
  readonly error_response?: { readonly error_message: string };
};

describe('a client that has no proto file', () => {
  let node: RunningNode;
  let client: Client;
  const opened: Client[] = [];

  beforeEach(async () => {
    node = await startNode(0, { grpcListen: { host: '127.0.0.1', port: 0 } });
    client = connectTo(Client);
  });
  afterEach(async () => {
    for (const each of opened.splice(0)) each.close();
    await node.close();
  });

  function connectTo<Kind extends Client>(
    kind: new (address: string, credentials: ReturnType<typeof insecure>, options: object) => Kind,
  ): Kind {
    const made = new kind(`dns:${node.grpcAddress}`, insecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_http_proxy': 0,
    });
    opened.push(made);
    return made;
  }

  const insecure = () => credentials.createInsecure();

  /** Asks the node about itself. */
  function reflect(question: object): Promise<Answer> {
    const { path, requestSerialize, responseDeserialize } = reflection as NonNullable<typeof reflection>;
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    return new Promise((resolve, reject) => {
      stream.on('data', resolve).on('error', reject);
      stream.write(question);
      stream.end();
    });
  }

  const services = async () =>
    ((await reflect({ list_services: '*' })).list_services_response?.service ?? []).map(({ name }) => name);

  async function filesOf(symbol: string): Promise<IFileDescriptorProto[]> {
    const { file_descriptor_response: found } = await reflect({ file_containing_symbol: symbol });
    const files = found?.file_descriptor_proto ?? [];
    return files.map(bytes => FileDescriptorProto.decode(bytes) as IFileDescriptorProto);
  }

  /** What the node says of a symbol, as a definition to call it by. */
  async function learn(symbol: string): Promise<PackageDefinition> {
    const set = FileDescriptorSet.encode({ file: await filesOf(symbol) }).finish();
    return loadFileDescriptorSetFromBuffer(Buffer.from(set), options);
  }

  it('is told of the services for clients, and of no other', async () => {
    expect(await services()).to.have.members([
      'raftline.v1.Kv',
      'raftline.v1.Cluster',
      'grpc.health.v1.Health',
    ]);
  });

  it('learns every method, and calls it', async () => {
    const definition = await learn('raftline.v1.Kv');
    const Kv = makeGenericClientConstructor(definition['raftline.v1.Kv'] as ServiceDefinition, 'Kv');
    const kv = connectTo(Kv as never) as unknown as Record<
      string,
      (request: object, done: (error: ServiceError | null, reply: unknown) => void) => void
    >;
    const call = (method: string, request: object) =>
      new Promise((resolve, reject) => {
        kv[method]?.(request, (error, reply) => (error === null ? resolve(reply) : reject(error)));
      });
    expect(await call('Set', { key: '/app/db', value: 'pg' })).to.deep.include({ rev: 1, mod: 1 });
    expect(await call('Get', { key: '/app/db' })).to.deep.include({ value: 'pg', version: 1 });
    const refused = call('Set', { key: '/app/db', value: 'x', if: [{ mod: 7 }] });
    const error = (await refused.then(
      () => undefined,
      (reason: unknown) => reason,
    )) as ServiceError | undefined;
    expect(error?.metadata.get('raftline-code')).to.deep.equal(['CONFLICT']);
  });

  it('is told which fields are optional, as strict clients want to know', async () => {
    const [file] = await filesOf('raftline.v1.SetRequest');
    const messages = new Map(file?.messageType?.map(message => [message.name, message]));
    const fields = (messages.get('SetRequest')?.field ?? []) as { name: string; proto3Optional?: boolean }[];
    expect(fields.find(field => field.name === 'key')?.proto3Optional).to.equal(true);
    expect(fields.find(field => field.name === 'if')?.proto3Optional ?? false).to.equal(false);
  });

  it('is given maps whose entries have the names that strict clients insist on', async () => {
    const [file] = await filesOf('grpc.health.v1.Health');
    const nested = (file?.messageType ?? []).flatMap((message: IDescriptorProto) => message.nestedType ?? []);
    expect(nested.map(({ name }) => name)).to.deep.equal(['StatusesEntry']);
  });

  it('is told that there is no such thing', async () => {
    const { error_response: error } = await reflect({ file_containing_symbol: 'raftline.v1.Nothing' });
    expect(error?.error_message).to.contain('raftline.v1.Nothing');
  });
});
