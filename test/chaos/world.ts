import { cpSync, existsSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from '../../lab/ask.ts';
import { Cluster } from '../../lab/cluster.ts';
import type { NodeProcess } from '../../lab/node-process.ts';
import { describeExit, StartFailure } from '../../lab/node-process.ts';
import type { Reply } from '../shared/line-client.ts';
import { pause } from './caller.ts';
import { DiskControl } from './disk-control.ts';
import { type DiskOrders, diskFlag, type TraceEvent } from './disk-orders.ts';
import { LEADER, type Target, type Way } from './faults/fault.ts';
import { CAN_MOUNT, SmallDisk } from './small-disk.ts';
import type { Verdicts } from './verdicts.ts';
import type { Line } from './wire.ts';

/** Milliseconds between two looks at the nodes. */
const LOOK = 25;
/** Milliseconds that a node has to end when it must. */
const END_PATIENCE = 15_000;

export interface WorldOptions {
  readonly stage: number;
  readonly nodes: number;
  /** The folder of everything that this run writes. */
  readonly folder: string;
  readonly verdicts: Verdicts;
  /** Mebibytes of the disk that is small enough to be filled; none unless told. */
  readonly smallDisk?: number;
  /** Flags of `serve` for every node. */
  readonly flags?: readonly string[];
  /** Whether each node writes down what an audit of durability needs, as `traceOf` then tells. */
  readonly isTraced?: boolean;
}

/** A cluster, and all that can be done to it. */
export class World {
  readonly cluster: Cluster;
  readonly verdicts: Verdicts;
  readonly #folder: string;
  readonly #control: DiskControl;
  readonly #smallDisks: ReadonlyMap<string, SmallDisk>;
  /** Nodes that a fault has to itself. */
  readonly #taken = new Set<string>();
  readonly #mayEnd: Set<string>;
  /** How many faults cut a link. */
  readonly #cuts = new Map<string, number>();

  private constructor(
    cluster: Cluster,
    { folder, verdicts }: WorldOptions,
    control: DiskControl,
    smallDisks: ReadonlyMap<string, SmallDisk>,
    mayEnd: Set<string>,
  ) {
    this.cluster = cluster;
    this.verdicts = verdicts;
    this.#folder = folder;
    this.#control = control;
    this.#smallDisks = smallDisks;
    this.#mayEnd = mayEnd;
  }

  static async start(options: WorldOptions): Promise<World> {
    const { stage, nodes, folder, verdicts, smallDisk, flags = [], isTraced = false } = options;
    const control = new DiskControl(join(folder, 'control'));
    await control.open();
    const smallDisks = new Map<string, SmallDisk>();
    const last = `n${nodes}`;
    if (CAN_MOUNT && smallDisk !== undefined)
      smallDisks.set(last, new SmallDisk(join(folder, last), smallDisk));
    const mayEnd = new Set<string>();
    const onEnd = (node: NodeProcess) => {
      if (mayEnd.has(node.id)) return;
      const how = node.exit === undefined ? '' : describeExit(node.exit);
      verdicts.check('no node ends of itself', false, `${node.id} ${how}: ${node.stderr.join('\n')}`);
    };
    const cluster = await Cluster.start({
      stage,
      nodes,
      data: folder,
      flags,
      onEnd,
      nodeFlags: id => {
        const trace = isTraced ? { trace: join(folder, `${id}.trace`) } : {};
        return [diskFlag({ data: join(folder, id), control: control.path, node: id, ...trace })];
      },
    });
    return new World(cluster, options, control, smallDisks, mayEnd);
  }

  get ids(): readonly string[] {
    return this.cluster.ids;
  }

  node(id: string): NodeProcess {
    return this.cluster.node(id);
  }

  check(name: string, holds: boolean, words: string): boolean {
    return this.verdicts.check(name, holds, words);
  }

  /** Takes those of these nodes that run and that no other fault has, for the caller alone. */
  take(targets: readonly Target[]): string[] {
    const ids = targets.map(target => (target === LEADER ? this.#leader : target));
    const free = [...new Set(ids)].filter(id => !this.#taken.has(id) && this.node(id).state === 'running');
    for (const id of free) this.#taken.add(id);
    return free;
  }

  release(id: string): void {
    this.#taken.delete(id);
  }

  /** The node that was last seen to lead. */
  #leader = 'n1';

  /** Looks who leads; of two that say so, it is the one of the later term. */
  async look(): Promise<string | undefined> {
    const statuses = await Promise.all(this.ids.map(id => this.ask(id, { op: 'status' }, 400)));
    const leaders = statuses.filter(status => status?.role === 'leader');
    const [leader] = leaders.sort((a, b) => Number(b?.term) - Number(a?.term));
    if (leader !== undefined) this.#leader = String(leader.node);
    return leader === undefined ? undefined : String(leader.node);
  }

  /** Asks a node one thing; undefined when it gives no answer. */
  async ask(id: string, request: Line, patience = 7_000): Promise<Reply | undefined> {
    if (this.node(id).state !== 'running') return undefined;
    try {
      return JSON.parse(await ask(this.node(id).address, JSON.stringify(request), patience)) as Reply;
    } catch {
      return undefined;
    }
  }

  async until(holds: () => boolean | Promise<boolean>, patience: number): Promise<boolean> {
    for (const end = performance.now() + patience; performance.now() < end; await pause(LOOK)) {
      if (await holds()) return true;
    }
    return holds();
  }

  /** Waits until another node leads, for as long as there is patience. */
  async untilAnotherLeads(id: string, patience: number): Promise<void> {
    await this.until(async () => {
      const leader = await this.look();
      return leader !== undefined && leader !== id;
    }, patience);
  }

  /** Starts nodes that do not run, and gives them free. */
  async revive(ids: readonly string[]): Promise<void> {
    await Promise.all(
      ids.map(async id => {
        try {
          await this.node(id).start();
          this.check('every start succeeds', true, '');
        } catch (error) {
          this.check('every start succeeds', false, (error as Error).message);
        }
        this.#mayEnd.delete(id);
        this.release(id);
      }),
    );
  }

  async stopCleanly(id: string): Promise<void> {
    const node = this.node(id);
    await node.stop();
    const words = `${id} ${node.exit === undefined ? 'still runs' : describeExit(node.exit)}: ${node.stderr.join('\n')}`;
    this.check('SIGTERM ends a node with status 0', node.exit?.status === 0, words);
  }

  /** The power goes at a node. */
  async cutPower(id: string, seed: number): Promise<void> {
    this.mayEnd(id);
    await this.#control.order(id, { powerCut: seed % 2 ** 32 });
    const isGone = await this.until(() => this.node(id).pid === undefined, END_PATIENCE);
    if (!isGone) await this.node(id).kill();
  }

  /** Nobody minds when this node ends, until it is started again. */
  mayEnd(id: string): void {
    this.#mayEnd.add(id);
  }

  /** Waits for a node whose disk has failed: it must end, with a status that says so. */
  async hasEndedOfItself(id: string): Promise<void> {
    const node = this.node(id);
    const hasEnded = await this.until(() => node.pid === undefined, END_PATIENCE);
    const name = 'a node whose fsync fails ends, and says why';
    if (!hasEnded) {
      this.check(name, false, `${id} still runs`);
      await node.kill();
      return;
    }
    const said = node.stderr.join('\n');
    const isRight = node.exit?.status === 1 && said.includes('EIO');
    this.check(name, isRight, `${id} ${node.exit === undefined ? '' : describeExit(node.exit)}: ${said}`);
  }

  /** A node must not start, and must say why. */
  async refusesToStart(id: string, words: RegExp, because: string): Promise<void> {
    const name = 'a damaged file is refused, by name and byte';
    const node = this.node(id);
    try {
      await node.start();
      this.check(name, false, `${id} has started in spite of ${because}`);
      await node.kill();
    } catch (error) {
      const isRight = error instanceof StartFailure && error.exit?.status === 1 && words.test(error.message);
      this.check(name, isRight, `${id}, ${because}: ${(error as Error).message}`);
    }
  }

  /** A node whose newest snapshot is damaged says so, and starts from another, or not at all. */
  async startsOrRefuses(id: string, path: string): Promise<void> {
    const name = 'a damaged snapshot is told, by name';
    try {
      await this.node(id).start();
      const said = this.node(id).stderr.join('\n');
      this.check(name, said.includes(path), `${id} said nothing of ${path}: ${said}`);
    } catch (error) {
      const isRight =
        error instanceof StartFailure && error.exit?.status === 1 && error.message.includes(path);
      this.check(name, isRight, `${id}: ${(error as Error).message}`);
    }
  }

  hasSaid(id: string, words: string): boolean {
    return this.node(id).stderr.some(line => line.includes(words));
  }

  orderDisk(id: string, orders: DiskOrders): Promise<void> {
    return this.#control.order(id, orders);
  }

  /** Leaves no room on a node's disk; resolves with what gives it back. */
  async fillDisk(id: string): Promise<() => Promise<void> | void> {
    const disk = this.#smallDisks.get(id);
    if (disk === undefined) {
      await this.orderDisk(id, { full: true });
      return () => this.orderDisk(id, {});
    }
    disk.fill();
    return () => disk.empty();
  }

  /** What a traced node did, in order. */
  traceOf(id: string): TraceEvent[] {
    const lines = readFileSync(join(this.#folder, `${id}.trace`), 'utf8')
      .trimEnd()
      .split('\n');
    return lines.map(line => JSON.parse(line) as TraceEvent);
  }

  /** The file that a node's log grows in. */
  lastSegment(id: string): string {
    const log = join(this.#folder, id, 'log');
    const names = readdirSync(log).filter(name => name.endsWith('.ndjson'));
    return join(log, names.sort().at(-1) ?? '');
  }

  /** The newest snapshot of a node. */
  lastSnapshot(id: string): string | undefined {
    const snapshots = join(this.#folder, id, 'snapshots');
    if (!existsSync(snapshots)) return undefined;
    const names = readdirSync(snapshots).filter(name => /^\d+-\d+\.ndjson$/.test(name));
    const last = names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)).at(-1);
    return last === undefined ? undefined : join(snapshots, last);
  }

  putBack(copy: string, path: string): void {
    renameSync(copy, path);
  }

  cut(links: readonly Way[]): void {
    for (const [from, to] of links) {
      const name = `${from} ${to}`;
      this.#cuts.set(name, (this.#cuts.get(name) ?? 0) + 1);
      this.cluster.cut(from, to);
    }
  }

  mend(links: readonly Way[]): void {
    for (const [from, to] of links) {
      const name = `${from} ${to}`;
      const left = (this.#cuts.get(name) ?? 0) - 1;
      this.#cuts.set(name, left);
      if (left === 0) this.cluster.mend(from, to);
    }
  }

  reset(a: string, b: string): void {
    this.cluster.reset(a, b);
  }

  delayLink(from: string, to: string, milliseconds: number): void {
    this.cluster.delayLink(from, to, milliseconds);
  }

  /** Stops everything. What is on a disk in memory goes with it, unless somebody still wants to look at it. */
  async stop(isSound: boolean): Promise<void> {
    await this.cluster.stop();
    await this.#control.close();
    for (const [id, disk] of this.#smallDisks) {
      const path = join(this.#folder, id);
      if (!isSound) cpSync(path, `${path}.copy`, { recursive: true });
      disk.unmount();
      if (!isSound) cpSync(`${path}.copy`, path, { recursive: true });
    }
  }
}
