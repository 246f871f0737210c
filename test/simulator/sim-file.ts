import type { Dice } from './dice.ts';

/** A sync under way, and how much of the file it will have covered. */
export interface Syncing {
  size: number;
}

/** A file of a simulated disk: what its process sees, and what of it would outlive a loss of power. */
export class SimFile {
  #bytes: Buffer = Buffer.alloc(256);
  #size = 0;
  /** The first bytes that are on the disk for certain, as they are seen. */
  #synced = 0;
  /** What the disk still has where the file was cut or written over below what is synced, until the next sync. */
  #before: Buffer | undefined;
  readonly #syncing = new Set<Syncing>();

  get size(): number {
    return this.#size;
  }

  get synced(): number {
    return this.#synced;
  }

  read(target: Buffer, offset: number, length: number, position: number): number {
    const end = Math.min(position + length, this.#size);
    return end <= position ? 0 : this.#bytes.copy(target, offset, position, end);
  }

  write(source: Buffer, offset: number, length: number, position: number): void {
    if (position < this.#synced) this.#forsake(position);
    const size = Math.max(this.#size, position + length);
    if (size > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(size, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#size);
      this.#bytes = larger;
    }
    source.copy(this.#bytes, position, offset, offset + length);
    this.#size = size;
  }

  truncate(length: number): void {
    this.#forsake(length);
    this.#bytes.fill(0, length, this.#size);
    this.#size = length;
  }

  /** What the disk has from here on is no longer what is seen. */
  #forsake(position: number): void {
    if (position < this.#synced) {
      this.#before ??= Buffer.from(this.#bytes.subarray(0, this.#synced));
      this.#synced = position;
    }
    for (const sync of this.#syncing) sync.size = Math.min(sync.size, position);
  }

  beginSync(): Syncing {
    const sync = { size: this.#size };
    this.#syncing.add(sync);
    return sync;
  }

  endSync(sync: Syncing, isGood: boolean): void {
    this.#syncing.delete(sync);
    if (!isGood) return;
    this.#synced = Math.max(this.#synced, sync.size);
    this.#before = undefined;
  }

  /** What is on the disk for certain, as text. */
  syncedText(from: number): string {
    return this.#bytes.toString('latin1', from, this.#synced);
  }

  /**
   * The power goes. What was written since the last sync is there up to any byte, and behind it there may be NULs,
   * where the new size reached the disk and the block did not. Nothing beyond is modelled: journalling file systems
   * write blocks before the size that makes them part of the file.
   */
  losePower(dice: Dice): void {
    this.#syncing.clear();
    if (this.#before !== undefined && dice.chance(0.5)) {
      this.#bytes = this.#before;
      this.#size = this.#before.length;
    } else {
      const unsynced = this.#size - this.#synced;
      const kept = dice.pick([0, unsynced, dice.below(unsynced + 1), dice.below(unsynced + 1)]);
      const zeros = dice.chance(0.3) ? dice.below(unsynced - kept + 1) : 0;
      this.#bytes.fill(0, this.#synced + kept, this.#size);
      this.#size = this.#synced + kept + zeros;
    }
    this.#synced = this.#size;
    this.#before = undefined;
  }
}
