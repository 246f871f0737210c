import { ERRORS, type ErrorCode } from '../src/wire/errors.ts';
import type { Success } from '../src/wire/reply.ts';
import { Call, type Fields } from './call.ts';
import { type ClientError, localError, replyError } from './client-error.ts';
import type { Link } from './link.ts';
import type { Push, Stream, StreamListener } from './transport.ts';

/** Milliseconds between two questions to a node that is followed, whether it is still with its cluster, unless told. */
const CHECK = 2_000;
/** Answers in a row without a leader after which a node counts as cut off: one alone may be an election. */
const MOST_WITHOUT_LEADER = 2;

/** Whoever has the links. */
export interface StreamsOwner {
  submit(call: Call, signal: undefined): void;
  /** Asks the node to end a stream that nobody follows. */
  unwatch(link: Link, watch: number): void;
  /** The node of the current link is cut off: another is to have its turn. */
  forsake(why: string): void;
}

/** A stream of one link; a node closes it with a push that says why. */
export class LinkStream implements Stream {
  readonly op: string;
  readonly #listener: StreamListener;
  readonly #over: (stream: LinkStream) => void;
  #isOver = false;

  constructor(op: string, listener: StreamListener, over: (stream: LinkStream) => void) {
    this.op = op;
    this.#listener = listener;
    this.#over = over;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  opened(reply: Success): void {
    this.#listener.opened(reply);
  }

  /** `address` is that of the node that pushed it. */
  pushed(push: Push, size: number, address: string): void {
    if (this.#isOver) return;
    if (push.closed === undefined) this.#listener.pushed(push, size);
    else this.end(closedBy(push.closed, this.op, address));
  }

  end(error: ClientError): void {
    if (this.#isOver) return;
    this.close();
    this.#listener.ended(error);
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#over(this);
  }
}

/** Why a node closed a stream. Its push makes no promises; those of its code are known. */
function closedBy(closed: unknown, op: string, address: string): ClientError {
  const { code } = (closed ?? {}) as { code?: unknown };
  const known = typeof code === 'string' && Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode] : UNKNOWN;
  return replyError({ ...known, ...(closed as object) }, op, address, '');
}

/** A stream changes nothing, and can be asked for again. */
const UNKNOWN = { definite: true, retry: true };

/**
 * The streams of one client, and a look now and then at the node that they come from.
 *
 * A node that hangs, or was cut off from its cluster, keeps its connections open and pushes nothing: silence alone does
 * not tell it from a quiet store. So a node that is followed is asked every two seconds whether it knows a leader, and
 * left for another when it does not, or does not answer.
 */
export class Streams {
  readonly #owner: StreamsOwner;
  readonly #between: number;
  /** Those asked for and not yet answered. */
  readonly #asked = new Map<Call, LinkStream>();
  /** Every stream, and where it is once a node has agreed to it. */
  readonly #open = new Map<LinkStream, { readonly link: Link; readonly watch: number } | undefined>();
  #checks: NodeJS.Timeout | undefined;
  #withoutLeader = 0;

  /** `between`: milliseconds from one check to the next. */
  constructor(owner: StreamsOwner, between = CHECK) {
    this.#owner = owner;
    this.#between = between;
  }

  open(op: string, fields: Fields, timeout: number, listener: StreamListener): Stream {
    const stream = new LinkStream(op, listener, over => this.#forget(over));
    const call: Call = new Call(
      { op, fields, timeout },
      () => {},
      error => {
        this.#asked.delete(call);
        stream.end(error);
      },
    );
    this.#asked.set(call, stream);
    this.#open.set(stream, undefined);
    this.#checks ??= setInterval(() => this.#check(), this.#between);
    this.#owner.submit(call, undefined);
    return stream;
  }

  /** A node has agreed to what the call asks for, if that is a stream. */
  agreed(link: Link, call: Call, reply: Success): void {
    const stream = this.#asked.get(call);
    if (stream === undefined) return;
    this.#asked.delete(call);
    const watch = reply.watch as number;
    if (stream.isOver) {
      this.#owner.unwatch(link, watch);
      return;
    }
    link.streams.set(watch, stream);
    this.#open.set(stream, { link, watch });
    stream.opened(reply);
  }

  /** The link is lost, or was left: its streams end here, and go on where their owners take them. */
  leave(link: Link, why: string): void {
    const streams = [...link.streams.values()];
    link.streams.clear();
    for (const stream of streams) {
      const circumstances = { op: stream.op, address: link.name };
      stream.end(localError('LEADER_LOST', `${link.name} ${why}`, circumstances, { definite: true }));
    }
  }

  /** The client is closed. */
  shutDown(): void {
    for (const stream of [...this.#open.keys()]) {
      stream.end(localError('SHUTTING_DOWN', 'this client is closed', { op: stream.op }, { retry: false }));
    }
  }

  #forget(stream: LinkStream): void {
    const place = this.#open.get(stream);
    // One that its node ended is not on the link any more.
    if (place?.link.streams.delete(place.watch)) this.#owner.unwatch(place.link, place.watch);
    this.#open.delete(stream);
    if (this.#open.size > 0) return;
    clearInterval(this.#checks);
    this.#checks = undefined;
    this.#withoutLeader = 0;
  }

  #check(): void {
    const answered = ({ leader }: Success) => {
      this.#withoutLeader = leader === null ? this.#withoutLeader + 1 : 0;
      if (this.#withoutLeader < MOST_WITHOUT_LEADER) return;
      this.#withoutLeader = 0;
      this.#owner.forsake('knows no leader');
    };
    const call = new Call(
      { op: 'hello', fields: {}, timeout: this.#between, isOwn: true },
      reply => answered(reply as Success),
      // Whoever does not answer was left by the exchange itself.
      () => {},
    );
    this.#owner.submit(call, undefined);
  }
}
