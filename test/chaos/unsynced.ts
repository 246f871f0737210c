import fs from 'node:fs';
import { dirname } from 'node:path';
import { Random } from '../shared/random.ts';

/** Node's own functions, as they are before anything is put in their place. */
const {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeSync,
} = fs;

/** Bytes of a file that are not on the disk for certain: from the end of what is, to the end of what was written. */
interface Tail {
  durable: number;
  written: number;
}

/** A rename that the disk may not know of yet, and what it replaced. */
interface Renaming {
  readonly from: string;
  readonly to: string;
  readonly replaced: Buffer | undefined;
}

/**
 * What a loss of power would take: bytes written and not synced, and names that came or changed in a directory that
 * has not been synced. `kill -9` alone takes nothing, since the page cache outlives the process.
 */
export class Unsynced {
  readonly #tails = new Map<string, Tail>();
  readonly #newNames = new Set<string>();
  #renamings: Renaming[] = [];

  created(path: string): void {
    this.#newNames.add(path);
    this.#tails.set(path, { durable: 0, written: 0 });
  }

  wrote(path: string, position: number, length: number): void {
    const tail = this.#tail(path, position);
    tail.durable = Math.min(tail.durable, position);
    tail.written = Math.max(tail.written, position + length);
  }

  truncated(path: string, length: number): void {
    const tail = this.#tail(path, length);
    tail.durable = Math.min(tail.durable, length);
    tail.written = length;
  }

  /** How far a sync that begins now will reach. */
  reach(path: string): number {
    return this.#tails.get(path)?.written ?? 0;
  }

  synced(path: string, reach: number): void {
    const tail = this.#tails.get(path);
    if (tail !== undefined) tail.durable = Math.max(tail.durable, reach);
    for (const name of this.#newNames) if (dirname(name) === path) this.#newNames.delete(name);
    this.#renamings = this.#renamings.filter(({ to }) => dirname(to) !== path);
  }

  /** Is told before it happens. */
  renames(from: string, to: string): void {
    const replaced = existsSync(to) ? readFileSync(to) : undefined;
    this.#renamings.push({ from, to, replaced });
    const tail = this.#tails.get(from);
    if (tail !== undefined) this.#tails.set(to, tail);
    this.#tails.delete(from);
    this.#newNames.delete(from);
  }

  removed(path: string): void {
    this.#tails.delete(path);
    this.#newNames.delete(path);
  }

  /** Leaves of everything not synced what a loss of power might, as dice decide; or nothing. */
  lose(seed: number, isAllLost = false): void {
    const dice = new Random(seed);
    for (const [path, { durable, written }] of this.#tails) {
      const kept = isAllLost ? 0 : dice.below(written - durable + 1);
      if (written > durable) cutBack(path, durable + kept, written);
    }
    for (const { from, to, replaced } of this.#renamings.reverse()) {
      if (!isAllLost && dice.chance(0.5)) continue;
      renameSync(to, from);
      if (replaced !== undefined) write(to, 'w', replaced, 0);
    }
    for (const path of this.#newNames) {
      if ((isAllLost || dice.chance(0.5)) && existsSync(path)) unlinkSync(path);
    }
  }

  /** What was there when this began counts as durable: the process that wrote it is gone, and a start syncs. */
  #tail(path: string, position: number): Tail {
    let tail = this.#tails.get(path);
    if (tail === undefined) {
      tail = { durable: position, written: position };
      this.#tails.set(path, tail);
    }
    return tail;
  }
}

/** Takes the bytes from `kept` to `written` from a file, whose room may have been made beforehand. */
function cutBack(path: string, kept: number, written: number): void {
  if (!existsSync(path)) return;
  if (statSync(path).size <= written) truncateSync(path, kept);
  else write(path, 'r+', Buffer.alloc(written - kept), kept);
}

function write(path: string, flags: string, bytes: Buffer, position: number): void {
  const file = openSync(path, flags);
  writeSync(file, bytes, 0, bytes.length, position);
  closeSync(file);
}
