import {
  type CallOptions,
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { failureIn } from '../../src/wire/grpc-status.ts';
import { type Fields, fromMessage, type Message, toMessage } from '../../src/wire/messages.ts';
import { METHODS, type Method } from '../../src/wire/schema.ts';
import type { Reply } from '../shared/line-client.ts';

/** How a call ended: the reply as a line would have it, and the status. */
export interface Ended {
  readonly reply: Reply;
  readonly code: number;
  readonly details: string;
}

/** A client of the schema with nothing between a test and the calls. */
export class GrpcClient {
  readonly client: Client;

  constructor(address: string) {
    this.client = new Client(`dns:${address}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_http_proxy': 0,
      'grpc.enable_channelz': 0,
      'grpc.max_send_message_length': -1,
    });
  }

  /** Asks one thing, and waits for how it ends. */
  ask(name: string, fields: Fields = {}, options: CallOptions = {}): Promise<Ended> {
    const method = methodOf(name);
    return this.bytes(name, method.definition.requestSerialize(toMessage(method.request, fields)), options);
  }

  /** As `ask`, with the bytes of a request as they are. */
  bytes(name: string, bytes: Buffer, options: CallOptions = {}): Promise<Ended> {
    const { definition, reply: shape } = methodOf(name);
    return new Promise(resolve => {
      const done = (error: ServiceError | null, message?: object): void => {
        if (error === null) {
          const reply = { ok: true, ...fromMessage(shape, message as Message) };
          resolve({ reply, code: 0, details: '' });
        } else resolve(endedBy(error));
      };
      const { path, responseDeserialize } = definition;
      const plain = (content: Buffer) => content;
      const metadata = new Metadata();
      this.client.makeUnaryRequest(path, plain, responseDeserialize, bytes, metadata, options, done);
    });
  }

  /** Opens a stream of replies. */
  stream(name: string, fields: Fields = {}): ClientReadableStream<Message> {
    const { definition, request } = methodOf(name);
    const { path, requestSerialize, responseDeserialize } = definition;
    return this.client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => Message,
      toMessage(request, fields),
    );
  }

  close(): void {
    this.client.close();
  }
}

/** The method of this name. */
export function methodOf(name: string): Method {
  const method = METHODS.find(each => each.name === name);
  if (method === undefined) throw new Error(`there is no method ${name}`);
  return method;
}

function endedBy(error: ServiceError): Ended {
  const { code, details, metadata } = error;
  const failure = failureIn(details, name => metadata.get(name)[0]?.toString());
  return { reply: { ok: false, ...(failure && { error: failure }) }, code, details };
}
