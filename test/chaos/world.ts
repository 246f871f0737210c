import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from '../../lab/ask.ts';
import { Cluster } from '../../lab/cluster.ts';
import type { NodeProcess } from '../../lab/node-process.ts';
import { describeExit, StartFailure } from '../../lab/node-process.ts';
import type { Reply } from '../shared/line-client.ts';
import { pause } from './caller.ts';
import { Disks } from './disks.ts';
import { LEADER, type Plan, type Target, type Way } from './faults/fault.ts';
import { Members } from './members.ts';
import type { Verdicts } from './verdicts.ts';
import { GARBLED, type Line, replyIn } from './wire.ts';

/** Milliseconds between two looks at the nodes. */
const LOOK = 25;
/** Milliseconds that a node has to end when it must. */
const END_PATIENCE = 15_000;
/** Milliseconds that the first members have to be the members again. */
const SETTLE_PATIENCE = 30_000;

export interface WorldOptions {
  readonly stage: number;
  readonly nodes: number;
  /** How many more nodes there are, which begin without a cluster; they can be added to it. */
  readonly spares?: number;
  /** The folder of everything that this run writes. */
  readonly folder: string;
  readonly verdicts: Verdicts;
  /** Mebibytes of the disk that is small enough to be filled; none unless told. */
  readonly smallDisk?: number;
  /** Flags of `serve` for every node. */
  readonly flags?: readonly string[];
  /** Whether each node writes down what an audit of durability needs. */
  readonly isTraced?: boolean;
}

/** A cluster, and all that can be done to it. */
export class World {
  readonly cluster: Cluster;
  readonly verdicts: Verdicts;
  readonly disks: Disks;
  /** The nodes that the cluster begins with, and that vote whenever nobody has changed that. */
  readonly founders: readonly string[];
  readonly #members = new Members(this);
  /** Whether others may be members now. */
  #isChanged: boolean;
  /** Nodes that a fault has to itself. */
  readonly #taken = new Set<string>();
  readonly #mayEnd: Set<string>;
  /** How many faults cut a link. */
  readonly #cuts = new Map<string, number>();

  private constructor(cluster: Cluster, options: WorldOptions, disks: Disks, mayEnd: Set<string>) {
    this.cluster = cluster;
    this.verdicts = options.verdicts;
    this.disks = disks;
    this.founders = cluster.ids.slice(0, options.nodes);
    this.#isChanged = cluster.ids.length > options.nodes;
    this.#mayEnd = mayEnd;
  }

  static async start(options: WorldOptions): Promise<World> {
    const { stage, nodes, spares = 0, folder, verdicts, smallDisk, flags = [], isTraced = false } = options;
    const disks = await Disks.open(
      folder,
      smallDisk === undefined ? undefined : { id: 'n1', mebibytes: smallDisk },
    );
    const mayEnd = new Set<string>();
    const onEnd = (node: NodeProcess) => {
      if (mayEnd.has(node.id)) return;
      const how = node.exit === undefined ? '' : describeExit(node.exit);
      verdicts.check('no node ends of itself', false, `${node.id} ${how}: ${node.stderr.join('\n')}`);
    };
    const cluster = await Cluster.start({
      stage,
      nodes: nodes + spares,
      waiting: spares,
      data: folder,
      flags,
      onEnd,
      onLine: ({ id }, line) =>
        appendFileSync(join(folder, `${id}.log`), `${new Date().toISOString()} ${line}\n`),
      nodeFlags: id => [disks.flagOf(id, isTraced)],
    });
    return new World(cluster, options, disks, mayEnd);
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
    const line = await ask(this.node(id).address, JSON.stringify(request), patience).catch(() => undefined);
    if (line === undefined) return undefined;
    const reply = replyIn(line);
    const words = `${id} answered ${request.op} with ${line}`;
    this.check('a line from a node is JSON', reply.error?.code !== GARBLED, words);
    return reply;
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

  /** The power goes at a node; of what was not synced a part may be left, or nothing. */
  async cutPower(id: string, seed: number, isAllLost = false): Promise<void> {
    this.mayEnd(id);
    await this.disks.order(id, { powerCut: seed % 2 ** 32, isAllLost });
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

  /** Makes these nodes the voters, until it is so or over. */
  async changeMembers(voters: readonly string[], isOver: () => boolean): Promise<void> {
    this.#isChanged = true;
    await this.#members.vote(voters, isOver);
  }

  /** Removes a node from the cluster; false when that is not certain. */
  removeMember(id: string): Promise<boolean> {
    this.#isChanged = true;
    return this.#members.remove(id);
  }

  /** Makes the founders the voters again, and all others learners. */
  async settleMembers(): Promise<void> {
    if (!this.#isChanged) return;
    const isSettled = await this.#members.settle(this.founders, SETTLE_PATIENCE);
    const words = `${this.founders.join(', ')} are not the voters after ${SETTLE_PATIENCE} ms`;
    this.check('members can be changed when all is well', isSettled, words);
    this.#isChanged = !isSettled;
  }

  /** The links of a plan, with the leader in its part. */
  cast({ links = [], leaderAs }: Plan): readonly Way[] {
    if (leaderAs === undefined) return links;
    const leader = this.#leader;
    const playedBy = (id: string) => (id === leaderAs ? leader : id === leader ? leaderAs : id);
    return links.map(([from, to]): Way => [playedBy(from), playedBy(to)]);
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

  /** Stops everything. */
  async stop(isSound: boolean): Promise<void> {
    await this.cluster.stop();
    await this.disks.close(!isSound);
  }
}
