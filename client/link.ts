import type { Address } from '../src/wire/address.ts';
import type { Success } from '../src/wire/reply.ts';
import type { Call } from './call.ts';
import type { InFlight } from './in-flight.ts';
import type { LinkStream } from './streams.ts';

/** A reply line once parsed: a success, or an error yet to be looked at. */
export type Reply = Success | { readonly ok: false; readonly error: unknown };

/** One connection to one node: lines out, replies and pushes in, and the calls and streams that wait for them. */
export interface Link {
  readonly name: string;
  /** Calls sent and not yet answered, by the id of the attempt. */
  readonly inFlight: InFlight;
  /** What the node pushes, by the number that it gave each. */
  readonly streams: Map<number, LinkStream>;
  readonly dialledAt: number;
  readonly isOpen: boolean;
  readonly wasOpen: boolean;
  /** Bytes that may be written before the node has to read. */
  readonly room: number;
  /** When the node last sent anything. */
  readonly heardAt: number;
  write(text: string): void;
  /** Ends the connection; `why` is told to the owner, in words that follow the address. */
  destroy(why: string): void;
}

/** Whoever sends over links, and is told what becomes of them. */
export interface LinkOwner {
  opened(link: Link): void;
  /** There is room again. */
  drained(link: Link): void;
  replied(link: Link, call: Call, reply: Reply, line: string): void;
  /** Comes once, as the last. */
  lost(link: Link, why: string): void;
}

/** Opens a connection to a node. */
export type Dial = (address: Address, owner: LinkOwner) => Link;
