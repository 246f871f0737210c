import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DiskControl } from './disk-control.ts';
import { type DiskOrders, diskFlag } from './disk-orders.ts';
import { CAN_MOUNT, SmallDisk } from './small-disk.ts';

/** The disks of the nodes of a run, below one folder, and what can be done to them. */
export class Disks {
  readonly #folder: string;
  readonly #control: DiskControl;
  readonly #small = new Map<string, SmallDisk>();

  private constructor(folder: string, control: DiskControl) {
    this.#folder = folder;
    this.#control = control;
  }

  /** `small`: a node whose disk is of so many mebibytes, where that can be. */
  static async open(
    folder: string,
    small?: { readonly id: string; readonly mebibytes: number },
  ): Promise<Disks> {
    const control = new DiskControl(join(folder, 'control'));
    await control.open();
    const disks = new Disks(folder, control);
    if (CAN_MOUNT && small !== undefined) {
      disks.#small.set(small.id, new SmallDisk(join(folder, small.id), small.mebibytes));
    }
    return disks;
  }

  /** The folder of a node. */
  pathOf(id: string): string {
    return join(this.#folder, id);
  }

  /** The flag of Node that lets us give orders to the disk of a node. */
  flagOf(id: string, isTraced: boolean): string {
    const trace = isTraced ? { trace: this.traceOf(id) } : {};
    return diskFlag({ data: this.pathOf(id), control: this.#control.path, node: id, ...trace });
  }

  /** Where a node writes down what an audit needs. */
  traceOf(id: string): string {
    return join(this.#folder, `${id}.trace`);
  }

  order(id: string, orders: DiskOrders): Promise<void> {
    return this.#control.order(id, orders);
  }

  /** Leaves no room on a node's disk; resolves with what gives it back. */
  async fill(id: string): Promise<() => Promise<void> | void> {
    const disk = this.#small.get(id);
    if (disk === undefined) {
      await this.order(id, { full: true });
      return () => this.order(id, {});
    }
    disk.fill();
    return () => disk.empty();
  }

  /** What is on a disk in memory goes with it, unless somebody still wants to look at it. */
  async close(isWanted: boolean): Promise<void> {
    await this.#control.close();
    for (const [id, disk] of this.#small) {
      const path = this.pathOf(id);
      const copy = `${path}.copy`;
      if (isWanted) cpSync(path, copy, { recursive: true, preserveTimestamps: true });
      disk.unmount();
      if (!isWanted) continue;
      rmSync(path, { recursive: true });
      renameSync(copy, path);
    }
  }
}
