import { type Address, formatAddress } from '../src/wire/address.ts';
import type { Failure } from '../src/wire/errors.ts';
import type { Fields } from '../src/wire/messages.ts';
import { encodeReply, type Outcome } from '../src/wire/reply.ts';
import type { GrpcCalls, Request } from './grpc-calls.ts';
import { InFlight } from './in-flight.ts';
import type { Link, LinkOwner } from './link.ts';
import { notGrpc } from './mistaken.ts';
import { reasonOf } from './roster.ts';
import type { LinkStream } from './streams.ts';

/** Bytes that may be handed to a link at once, … */
const ROOM = 1_048_576;
/** … while fewer calls than this are under way. */
const MOST_IN_FLIGHT = 1_024;

type Line = Request & { readonly id: number; readonly watch?: number };

/**
 * One connection to one node over gRPC. It takes the same lines as the other kind, each of which becomes a call, and
 * what a call brings becomes a reply again: so all that decides what is sent, when, and how often, is the same for both.
 */
export class GrpcLink implements Link {
  readonly name: string;
  readonly inFlight = new InFlight();
  readonly streams = new Map<number, LinkStream>();
  readonly #owner: LinkOwner;
  readonly #ends = new Map<number, () => void>();
  #calls: GrpcCalls | undefined;
  #watches = 0;
  #dialledAt: number | undefined;
  #heardAt = 0;
  #isOpen = false;
  #isLost = false;
  #wasFull = false;

  constructor(address: Address, owner: LinkOwner) {
    this.name = formatAddress(address);
    this.#owner = owner;
    this.#dial(address).catch(error => this.destroy(`failed: ${error}`));
  }

  /** What takes time before is the loading of gRPC, and no fault of the node. */
  get dialledAt(): number {
    return this.#dialledAt ?? performance.now();
  }

  get isOpen(): boolean {
    return this.#isOpen && !this.#isLost;
  }

  get wasOpen(): boolean {
    return this.#isOpen;
  }

  get room(): number {
    this.#wasFull = this.inFlight.size >= MOST_IN_FLIGHT;
    return this.#wasFull ? 0 : ROOM;
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  write(text: string): void {
    for (const line of text.trimEnd().split('\n')) this.#send(JSON.parse(line) as Line);
  }

  destroy(why: string): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#calls?.close();
    // As a socket tells of its end: not from within the call that ends it.
    setImmediate(() => this.#owner.lost(this, why));
  }

  /** gRPC is loaded by whoever uses it, and only then. */
  async #dial(address: Address): Promise<void> {
    const { GrpcCalls } = await import('./grpc-calls.ts');
    if (this.#isLost) return;
    this.#dialledAt = performance.now();
    this.#calls = new GrpcCalls(address, {
      opened: () => {
        if (this.#isLost) return;
        this.#isOpen = true;
        this.#owner.opened(this);
      },
      lost: error => this.destroy(this.#heardAt === 0 ? notGrpc(error) : reasonOf(error)),
    });
  }

  #send({ id, ...request }: Line): void {
    if (request.op === 'unwatch') {
      this.#ends.get(request.watch ?? 0)?.();
      this.#ends.delete(request.watch ?? 0);
    } else if (request.op === 'watch') this.#watch(id, request);
    else this.#calls?.ask(request, outcome => this.#answered(id, outcome));
  }

  /** The node numbers the watches of a call, of which there is one; here they are numbered over all calls. */
  #watch(id: number, request: Request): void {
    this.#watches += 1;
    const watch = this.#watches;
    const end = this.#calls?.stream(request, {
      answered: outcome => this.#answered(id, outcome.ok ? { ...outcome, watch } : outcome),
      pushed: fields => this.#pushed(watch, pushOf(fields, request)),
      closed: reason => this.#closed(watch, reason),
    });
    if (end !== undefined) this.#ends.set(watch, end);
  }

  #answered(id: number, outcome: Outcome): void {
    if (this.#isLost) return;
    this.#heardAt = performance.now();
    const call = this.inFlight.get(id);
    // The reply to a call that was given up meanwhile.
    if (call === undefined) return;
    this.inFlight.delete(id);
    const reply = { id, ...outcome };
    this.#owner.replied(this, call, reply, encodeReply(id, outcome));
    if (this.#wasFull && this.inFlight.size < MOST_IN_FLIGHT) this.#owner.drained(this);
  }

  #pushed(watch: number, fields: Fields): void {
    this.#heardAt = performance.now();
    const push = { watch, ...fields };
    this.streams.get(watch)?.pushed(push, JSON.stringify(push).length, this.name);
  }

  #closed(watch: number, { definite, retry, ...closed }: Failure): void {
    const stream = this.streams.get(watch);
    this.streams.delete(watch);
    this.#ends.delete(watch);
    const push = { watch, closed };
    stream?.pushed(push, JSON.stringify(push).length, this.name);
  }
}

/** A push as a line has it: a message cannot leave out a list or a number that are always there. */
function pushOf({ rev, events, progress, ...rest }: Fields, { cluster }: Request): Fields {
  if (progress === true) return { rev, ...rest, progress };
  return cluster === true ? { ...rest, events } : { rev, ...rest, events };
}
