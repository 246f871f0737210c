import type { Dice } from './dice.ts';
import type { SimFile } from './sim-file.ts';

/** A change of names in a directory; undefined where the name goes. */
type Change = ReadonlyMap<string, SimFile | SimDirectory | undefined>;

/** A directory of a simulated disk: its names as they are seen, and those that would outlive a loss of power. */
export class SimDirectory {
  readonly names = new Map<string, SimFile | SimDirectory>();
  readonly #durable = new Map<string, SimFile | SimDirectory>();
  /** What has changed since the directory was synced, in order. */
  #unsynced: Change[] = [];
  #version = 0;

  change(...changes: [string, SimFile | SimDirectory | undefined][]): void {
    const change = new Map(changes);
    apply(this.names, change);
    this.#unsynced.push(change);
  }

  /** Counts what became durable. */
  get version(): number {
    return this.#version;
  }

  sync(): void {
    if (this.#unsynced.length > 0) this.#version += 1;
    for (const change of this.#unsynced) apply(this.#durable, change);
    this.#unsynced = [];
  }

  /** The names that are on the disk for certain, in order. */
  get durable(): ReadonlyMap<string, SimFile | SimDirectory> {
    return this.#durable;
  }

  wipe(): void {
    this.names.clear();
    this.#durable.clear();
    this.#unsynced = [];
    this.#version += 1;
  }

  /** The power goes: the first so many of the changes that were not synced are there, and the others never were. */
  losePower(dice: Dice): void {
    for (const change of this.#unsynced.slice(0, dice.below(this.#unsynced.length + 1))) {
      apply(this.#durable, change);
    }
    this.#unsynced = [];
    this.names.clear();
    for (const [name, item] of this.#durable) {
      this.names.set(name, item);
      item.losePower(dice);
    }
  }
}

function apply(names: Map<string, SimFile | SimDirectory>, change: Change): void {
  for (const [name, item] of change) {
    if (item === undefined) names.delete(name);
    else names.set(name, item);
  }
}
