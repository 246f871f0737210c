import type { Success } from '../src/wire/reply.ts';
import type { Call, Fields } from './call.ts';
import type { ClientError } from './client-error.ts';

/** What a node pushes for a request that asked for a stream, such as an event of a watch, as it stands in the line. */
export interface Push {
  readonly watch: number;
  readonly [field: string]: unknown;
}

/** Whoever follows a stream. Nothing comes any more once the stream has been closed from here. */
export interface StreamListener {
  /** The node has agreed: its reply, before the first push. */
  opened(reply: Success): void;
  /** `size`: characters of the line it came in. */
  pushed(push: Push, size: number): void;
  /**
   * Comes once, as the last: the request was refused, the node closed the stream, or the connection is lost or was
   * left for that of a better node. `retry` says that another request may go on where this one ended.
   */
  ended(error: ClientError): void;
}

/** A stream of pushes, from the moment it is asked for. */
export interface Stream {
  /** Ends it. The node is told, if it has to be. */
  close(): void;
}

/** What brings requests to nodes, over whatever lies between. The recipes know no more of it. */
export interface Transport {
  /** The node that requests go to at the moment. */
  readonly address: string;
  /** Brings the call to its reply. */
  submit(call: Call, signal: AbortSignal | undefined): void;
  /** Asks for a stream; `timeout` is how many milliseconds the reply may take. */
  open(op: string, fields: Fields, timeout: number, listener: StreamListener): Stream;
  /** The node that requests go to is of no help: another is to have its turn, where there is one. */
  forsake(why: string): void;
  /** Rejects what is open, and resolves when nothing is left. */
  close(): Promise<void>;
}
