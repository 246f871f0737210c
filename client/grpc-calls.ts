import {
  Client,
  type ClientReadableStream,
  credentials,
  logVerbosity,
  Metadata,
  type ServiceError,
  setLogVerbosity,
  status,
} from '@grpc/grpc-js';
import { type Address, formatAddress } from '../src/wire/address.ts';
import { type Failure, failure, RaftlineError } from '../src/wire/errors.ts';
import { failureIn, foreignFailure } from '../src/wire/grpc-status.ts';
import { type Fields, fromMessage, type Message, toMessage } from '../src/wire/messages.ts';
import { failed, type Outcome } from '../src/wire/reply.ts';
import { checkRequest } from '../src/wire/request.ts';
import { METHODS, type Method } from '../src/wire/schema.ts';

/** Milliseconds that a call may outlast its request's own time: the node knows more than the deadline does. */
const GRACE = 1_000;
/** Bytes that a reply or a push may have; a revision comes whole, however many keys it removed. */
const LONGEST_REPLY = 268_435_456;
/** Milliseconds of silence after which the node is asked whether it is still there, and that it has to answer. */
const KEEP_ALIVE = 10_000;
const KEEP_ALIVE_PATIENCE = 5_000;
/** Whatever stage a node runs: it says itself what it does not have. */
const EVERY_STAGE = Number.POSITIVE_INFINITY;

// What goes wrong on the way to a node is told in our own words.
setLogVerbosity(logVerbosity.NONE);

/** A request as its line has it. */
export type Request = Fields & { readonly op: string; readonly timeout?: number };

/** Whoever is told what becomes of calls. */
export interface CallsOwner {
  /** There is a connection. */
  opened(): void;
  /** There is no connection any more, or none to be had. */
  lost(error: Error): void;
}

/** What a call that opens a stream brings. */
export interface StreamEvents {
  /** The first, or why there is none. */
  answered(outcome: Outcome): void;
  pushed(fields: Fields): void;
  closed(reason: Failure): void;
}

const methods = new Map(METHODS.map(method => [methodName(method.op, method.fixed), method]));

function methodName(op: string, { cluster }: Fields): string {
  return cluster === true ? `${op} of the cluster` : op;
}

/** The calls to one node: each is a request of the line protocol, in the types of the schema. */
export class GrpcCalls {
  readonly #client: Client;
  readonly #owner: CallsOwner;

  constructor(address: Address, owner: CallsOwner) {
    this.#owner = owner;
    this.#client = new Client(`dns:${formatAddress(address)}`, credentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_http_proxy': 0,
      'grpc.enable_channelz': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.max_send_message_length': -1,
      'grpc.max_receive_message_length': LONGEST_REPLY,
      'grpc.keepalive_time_ms': KEEP_ALIVE,
      'grpc.keepalive_timeout_ms': KEEP_ALIVE_PATIENCE,
    });
    this.#client.waitForReady(Number.POSITIVE_INFINITY, error => {
      if (error === undefined) owner.opened();
    });
    // A channel does not say why it has no connection; a call that fails for want of one does.
    this.#unary(methodOf({ op: 'ping' }), {}, Number.POSITIVE_INFINITY, error => {
      if (error !== null && failureOf(error) === undefined) owner.lost(withCode(error));
    });
  }

  /** Asks one thing. `answered` is not called when the connection is lost, nor when the call takes too long. */
  ask(request: Request, answered: (outcome: Outcome) => void): void {
    const call = prepared(request);
    if ('failure' in call) {
      answered(failed(call.failure));
      return;
    }
    this.#unary(call.method, call.message, deadlineOf(request), (error, message) => {
      if (error === null) answered({ ok: true, ...replyOf(call.method, message ?? {}, request) } as Outcome);
      else this.#refused(error, reason => answered(failed(reason)));
    });
  }

  /** Opens a stream; what it gives back ends it. */
  stream(request: Request, events: StreamEvents): () => void {
    const call = prepared(request);
    if ('failure' in call) {
      events.answered(failed(call.failure));
      return () => {};
    }
    const { method, message } = call;
    const { path, requestSerialize, responseDeserialize } = method.definition;
    const stream = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      message,
    ) as ClientReadableStream<Message>;
    let isOpen = false;
    let isOver = false;
    stream.on('data', (content: Message) => {
      if (isOver) return;
      const fields = replyOf(method, content, request);
      if (isOpen) events.pushed(fields);
      else {
        isOpen = true;
        events.answered({ ok: true, ...fields } as Outcome);
      }
    });
    stream.on('error', (error: ServiceError) => {
      if (isOver) return;
      isOver = true;
      this.#refused(error, reason => (isOpen ? events.closed(reason) : events.answered(failed(reason))));
    });
    return () => {
      isOver = true;
      stream.cancel();
    };
  }

  /** All that a stream brings, no faster than it is taken; last, why it ended, where it was refused. */
  async *all(request: Request): AsyncGenerator<Fields, void, void> {
    const call = prepared(request);
    if ('failure' in call) {
      yield { failure: call.failure };
      return;
    }
    const { path, requestSerialize, responseDeserialize } = call.method.definition;
    const options = { deadline: deadlineOf(request) };
    const metadata = new Metadata();
    const stream = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      call.message,
      metadata,
      options,
    );
    try {
      for await (const message of stream) yield replyOf(call.method, message as Message, request);
    } catch (error) {
      const reason = failureOf(error as ServiceError);
      if (reason === undefined) throw withCode(error as Error);
      yield { failure: reason };
    } finally {
      stream.cancel();
    }
  }

  close(): void {
    this.#client.close();
  }

  #unary(
    { definition }: Method,
    message: Message,
    deadline: number,
    done: (error: ServiceError | null, message?: Message) => void,
  ): void {
    const { path, requestSerialize, responseDeserialize } = definition;
    this.#client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => Message,
      message,
      new Metadata(),
      { deadline },
      done,
    );
  }

  /** A call ended without a reply: because the node said so, or for want of a connection. */
  #refused(error: ServiceError, tell: (reason: Failure) => void): void {
    const reason = failureOf(error);
    if (reason !== undefined) tell(reason);
    // Whoever waits has given up by then, in words of their own.
    else if (error.code !== status.DEADLINE_EXCEEDED) this.#owner.lost(withCode(error));
  }
}

function failureOf({ code, details, metadata }: ServiceError): Failure | undefined {
  return (
    failureIn(details, name => metadata.get(name)[0]?.toString()) ??
    // grpc-js refuses by itself what is longer than the node takes.
    foreignFailure(code, details)
  );
}

/** The error of the connection itself, which gRPC has in its words alone. */
function withCode(error: Error): Error {
  const code = /\b(E[A-Z]{3,})\b/.exec(error.message)?.[1] ?? 'EPIPE';
  return Object.assign(new Error(code), { code });
}

function deadlineOf({ timeout }: Request): number {
  return timeout === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeout + GRACE;
}

function methodOf(request: Fields): Method {
  const method = methods.get(methodName(String(request.op), request));
  if (method === undefined) throw new Error(`the schema has no method for ${request.op}`);
  return method;
}

type Prepared = { readonly method: Method; readonly message: Message } | { readonly failure: Failure };

/**
 * The message of a request. What a line would carry to the node, and the node refuse, a message might not even be able
 * to say: so the request is checked here, in the node's own way.
 */
function prepared(request: Request): Prepared {
  try {
    const { op, id, cluster, ...fields } = checkRequest({ ...request }, EVERY_STAGE) as Fields;
    const method = methodOf({ op, cluster });
    return { method, message: toMessage(method.request, fields) };
  } catch (error) {
    if (error instanceof RaftlineError) return { failure: error.failure };
    const words = error instanceof Error ? error.message : String(error);
    return { failure: failure('BAD_REQUEST', words) };
  }
}

/** A reply as a line has it. A list that is empty is not sent, so the request has to tell which it is. */
function replyOf({ reply }: Method, message: Message, request: Request): Fields {
  const fields = fromMessage(reply, message);
  if (request.op === 'list') delete fields[request.values === true ? 'keys' : 'entries'];
  return fields;
}
