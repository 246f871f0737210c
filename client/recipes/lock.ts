import { hostname } from 'node:os';
import type { Condition } from '../../src/wire/fields.ts';
import { localError } from '../client-error.ts';
import type { CallOptions, KeepOptions, LockOptions } from '../options.ts';
import { type Place, Queue } from './queue.ts';
import type { Wire } from './wire.ts';

const LOCKS = '/locks/';
const ELECTIONS = '/elections/';

/** What somebody holds alone, until it is let go or lost. */
interface Held {
  /** The key that stands for it, which ends with it. */
  readonly key: string;
  /** The revision that created the key, greater than that of every holder before: the fencing token. */
  readonly fence: number;
  /** A condition for changes (`if`), under which they are refused once it is no longer held. */
  readonly guard: Condition & { readonly key: string; readonly create: number };
  /** Raised when it is lost, with the reason; not when it is let go. */
  readonly lost: AbortSignal;
  /** Whether it is held at this moment, by this process's own clock. */
  readonly isHeld: boolean;
}

/**
 * A lock that is held. Another process gets it at the earliest when this one has been told that it is lost, unless this
 * one stood still and could not hear; a write under `guard` is refused even then.
 */
export interface Lock extends Held {
  readonly name: string;
  /** Lets it go; the next in the queue has it at once. */
  release(): Promise<void>;
}

/** An election that is won. */
export interface Leadership extends Held {
  readonly name: string;
  readonly value: string;
  /** Steps down; the next in the queue leads at once. */
  resign(): Promise<void>;
}

/** Who leads. */
export interface Leader {
  readonly value: string;
  readonly key: string;
  readonly fence: number;
}

export async function lock(wire: Wire, name: string, options: LockOptions = {}): Promise<Lock> {
  const { value = `${hostname()} ${process.pid}`, ...rest } = options;
  const place = await new Queue(wire, directoryOf(LOCKS, name)).enter(value, rest);
  return Object.assign(heldBy(place), { name, release: () => place.release() });
}

export async function elect(
  wire: Wire,
  name: string,
  value: string,
  options: KeepOptions = {},
): Promise<Leadership> {
  const place = await new Queue(wire, directoryOf(ELECTIONS, name)).enter(value, options);
  return Object.assign(heldBy(place), { name, value, resign: () => place.release() });
}

export async function leader(wire: Wire, name: string, options: CallOptions = {}): Promise<Leader | null> {
  const head = await new Queue(wire, directoryOf(ELECTIONS, name)).head(options);
  return head === undefined ? null : { value: head.value ?? '', key: head.key, fence: head.create };
}

function directoryOf(root: string, name: string): string {
  if (name !== '') return `${root}${name}/`;
  throw localError('BAD_REQUEST', 'a lock or an election needs a name', { op: 'lock' });
}

function heldBy(place: Place): Held {
  const { key, create } = place;
  return {
    key,
    fence: create,
    guard: { key, create },
    lost: place.lost,
    get isHeld() {
      return place.isHeld;
    },
  };
}
