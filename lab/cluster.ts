import { join } from 'node:path';
import { connect } from '../client/client.ts';
import {
  formatAddress,
  isNodeId,
  NODE_ID_RULE,
  type NodeAddress,
  parseAddress,
} from '../src/wire/address.ts';
import { OPS } from '../src/wire/ops.ts';
import { nearestId } from '../src/wire/text.ts';
import { STAGES, type Stage } from '../stages/stages.ts';
import { ask } from './ask.ts';
import { NodeProcess, StartFailure } from './node-process.ts';
import { anyPort, areFree, type Block, blocks } from './ports.ts';
import { Switchboard } from './switchboard.ts';

/** Blocks of ports that are tried before giving up. */
const MOST_BLOCKS = 100;

/** Milliseconds between two looks for a leader, and that a node has to answer one. */
const BETWEEN_LOOKS = 25;
const LOOK_PATIENCE = 500;
/** Milliseconds that a node's removal may take. */
const REMOVE_PATIENCE = 10_000;

export interface ClusterOptions {
  /** The stage's number; the last one unless told. */
  readonly stage?: number;
  /** How many nodes; what the stage has unless told. They are n1, n2, … */
  readonly nodes?: number;
  /** How many of them, the last ones, begin without a cluster, and wait to be added to it. */
  readonly waiting?: number;
  /** The folder for the folders of the nodes, at the stages that keep their data. */
  readonly data?: string;
  /** The first port to try; any free ones unless told. */
  readonly firstPort?: number;
  /** Flags for every node beyond those that make the cluster. */
  readonly flags?: readonly string[];
  /** Flags of Node itself for the process of a node. */
  readonly nodeFlags?: (id: string) => readonly string[];
  /** Hears of a node that ends although nobody here stopped it. */
  readonly onEnd?: (node: NodeProcess) => void;
  /** Hears every line that a node writes to standard error. */
  readonly onLine?: (node: NodeProcess, line: string) => void;
}

/**
 * A cluster of real node processes on this machine, over a network that can be broken. When the process that started
 * it is gone, however it went, so are the nodes.
 *
 *     const cluster = await Cluster.start({ stage: 2, nodes: 3 });
 *     await cluster.node('n2').kill();
 *     cluster.partition([['n1'], ['n3']]);
 *     await cluster.stop();
 */
export class Cluster {
  readonly stage: Stage;
  readonly #nodes: Map<string, NodeProcess>;
  readonly #switchboard: Switchboard;
  readonly #options: ClusterOptions;
  /** The ids of nodes that were removed: none of them is lent to another node. */
  readonly #removed = new Set<string>();

  private constructor(
    stage: Stage,
    nodes: readonly NodeProcess[],
    switchboard: Switchboard,
    options: ClusterOptions,
  ) {
    this.stage = stage;
    this.#nodes = new Map(nodes.map(node => [node.id, node]));
    this.#switchboard = switchboard;
    this.#options = options;
  }

  /** Starts the nodes, and resolves when all of them listen. When one does not, none is left. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const stage = findStage(options.stage);
    const size = options.nodes ?? stage.nodes;
    if (!Number.isSafeInteger(size) || size < 1) throw new Error(`a cluster has 1 node or more, not ${size}`);
    if (stage.nodes === 1 && size > 1) {
      throw new Error(`stage ${stage.number} (${stage.title}) runs one node, not ${size}`);
    }
    let tried = 0;
    for (const block of blocks(options.firstPort ?? anyPort(), size)) {
      const cluster = await Cluster.#startOn(block, stage, options);
      if (cluster !== undefined) return cluster;
      tried += 1;
      if (tried === MOST_BLOCKS) break;
    }
    throw new Error(`no ${size} free ports in a row from ${options.firstPort}`);
  }

  /** Starts the nodes on these ports; undefined when somebody else uses one of them, or was quicker. */
  static async #startOn(block: Block, stage: Stage, options: ClusterOptions): Promise<Cluster | undefined> {
    const switchboard = new Switchboard();
    try {
      await switchboard.open(block.claim);
    } catch (error) {
      if (isInUse(error)) return undefined;
      throw error;
    }
    if (!(await areFree(block.ports))) {
      await switchboard.close();
      return undefined;
    }
    const members = block.ports.map((port, at) => ({
      id: `n${at + 1}`,
      address: formatAddress({ host: '127.0.0.1', port }),
    }));
    for (const { id, address } of members) switchboard.register(id, address);
    const founders = members.slice(0, members.length - (options.waiting ?? 0));
    const list = founders.map(({ id, address }) => `${id}=${address}`).join(',');
    const nodes = members.map(member =>
      nodeOf(member, founders.includes(member) ? ['--nodes', list] : [], switchboard, stage, options),
    );
    const cluster = new Cluster(stage, nodes, switchboard, options);
    const outcomes = await Promise.allSettled(nodes.map(node => node.start()));
    const failures = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason] : []));
    if (failures.length === 0) return cluster;
    await cluster.stop();
    const real = failures.find(failure => !isInUse(failure));
    if (real === undefined) return undefined;
    throw real;
  }

  /**
   * Waits until a node leads and has a connection to every other, and resolves with it; undefined when that takes
   * longer than the patience, in milliseconds. Before, a change may be refused, and a stage may not repeat it.
   */
  async leader(patience = 10_000): Promise<NodeProcess | undefined> {
    const deadline = performance.now() + patience;
    do {
      const running = this.nodes.filter(node => node.state === 'running');
      const leads = await Promise.all(running.map(isConnectedLeader));
      const leader = running.find((_, at) => leads[at]);
      if (leader !== undefined) return leader;
      await new Promise(resolve => setTimeout(resolve, BETWEEN_LOOKS));
    } while (performance.now() < deadline);
    return undefined;
  }

  get nodes(): readonly NodeProcess[] {
    return [...this.#nodes.values()];
  }

  get ids(): readonly string[] {
    return [...this.#nodes.keys()];
  }

  get addresses(): readonly string[] {
    return this.nodes.map(node => node.address);
  }

  /** The node of this id: to kill, stop, restart, pause and resume it. Throws when there is none. */
  node(id: string): NodeProcess {
    const node = this.#nodes.get(id);
    if (node !== undefined) return node;
    if (this.#removed.has(id)) throw new Error(`${id} was removed from the cluster: add brings a new node`);
    const near = nearestId(id, this.#nodes.keys());
    const hint = near === undefined ? `there are ${this.ids.join(', ')}` : `did you mean ${near}?`;
    throw new Error(`there is no node ${JSON.stringify(id)}: ${hint}`);
  }

  /**
   * Lets the nodes of each group reach each other alone. Nodes in no group are together in one more. What was cut
   * before is forgotten. Clients reach every node still.
   */
  partition(groups: readonly (readonly string[])[]): void {
    const seen = new Set<string>();
    for (const id of groups.flat()) {
      this.node(id);
      if (seen.has(id)) throw new Error(`${id} cannot be on two sides at once`);
      seen.add(id);
    }
    this.#switchboard.partition(groups);
  }

  /** Stops all bytes from one node to another; those in the other direction flow on. */
  cut(from: string, to: string): void {
    this.#switchboard.cut(this.node(from).id, this.node(to).id);
  }

  /** Ends a cut of one direction between two nodes. */
  mend(from: string, to: string): void {
    this.#switchboard.mend(this.node(from).id, this.node(to).id);
  }

  /** Breaks the connections that stand between two nodes. */
  reset(a: string, b: string): void {
    this.#switchboard.reset(this.node(a).id, this.node(b).id);
  }

  /** Makes every link whole; delays stay. What was held back arrives. */
  heal(): void {
    this.#switchboard.heal();
  }

  /** Whatever this node sends to others, or is sent by them, takes so many milliseconds; 0 ends it. */
  delay(id: string, milliseconds: number): void {
    this.#switchboard.delay(this.node(id).id, milliseconds);
  }

  /** Whatever one node sends to another takes so many milliseconds more; 0 ends it. */
  delayLink(from: string, to: string, milliseconds: number): void {
    this.#switchboard.delayLink(this.node(from).id, this.node(to).id, milliseconds);
  }

  /** The links that are cut now, each in its direction. */
  get cuts(): readonly (readonly [from: string, to: string])[] {
    return this.#switchboard.cuts;
  }

  /** The nodes that are slow now, with their milliseconds. */
  get delays(): readonly (readonly [id: string, milliseconds: number])[] {
    return this.#switchboard.delays;
  }

  /**
   * Adds a node, as a learner and then as a voter, and resolves when it votes. Unless told, its id is the next that no
   * node has had; `patience` is in milliseconds.
   */
  async add(id = this.#nextId(), patience = 60_000): Promise<NodeProcess> {
    this.#needsStage('add-learner');
    if (!isNodeId(id)) throw new Error(`${JSON.stringify(id)} is no node id: use ${NODE_ID_RULE}`);
    if (this.#nodes.has(id)) throw new Error(`${id} is a node already: name another, or none`);
    if (this.#removed.has(id))
      throw new Error(`${id} was removed, and has left its id behind: name another, or none`);
    const through = this.nodes.filter(({ state }) => state === 'running').map(({ address }) => address);
    if (through.length === 0) throw new Error('no node runs that could take another one in: restart one');
    const address = formatAddress({ host: '127.0.0.1', port: await this.#freePort() });
    this.#switchboard.register(id, address);
    const way = ['--join', through.join(',')];
    const node = nodeOf({ id, address }, way, this.#switchboard, this.stage, this.#options);
    this.#nodes.set(id, node);
    await node.start();
    const deadline = performance.now() + patience;
    while (!(await isVoter(node))) {
      if (node.state !== 'running') throw new StartFailure(id, node.exit, node.stderr);
      if (performance.now() > deadline) {
        throw new Error(`${id} runs, but does not vote yet after ${patience / 1_000} s: see status`);
      }
      await new Promise(resolve => setTimeout(resolve, BETWEEN_LOOKS));
    }
    return node;
  }

  /** Takes a node out of the cluster, and ends its process. */
  async remove(id: string): Promise<void> {
    this.#needsStage('remove-node');
    const node = this.node(id);
    const others = this.nodes.filter(other => other !== node && other.state === 'running');
    if (others.length === 0) throw new Error(`no other node runs that could remove ${id}`);
    // The leader may just have died: then the next one is asked again.
    const client = connect(others.map(({ address }) => address));
    try {
      await client.request('remove-node', { node: id }, { timeout: REMOVE_PATIENCE });
    } finally {
      await client.close();
    }
    await node.stop();
    this.#nodes.delete(id);
    this.#removed.add(id);
    this.#switchboard.forget(id);
  }

  /** One beyond the highest number that a node has had. */
  #nextId(): string {
    const numbers = [...this.#nodes.keys(), ...this.#removed].map(id =>
      Number(/^n(\d+)$/.exec(id)?.[1] ?? 0),
    );
    return `n${Math.max(...numbers) + 1}`;
  }

  #needsStage(op: 'add-learner' | 'remove-node'): void {
    const { stage } = OPS[op];
    if (this.stage.number >= stage) return;
    throw new Error(`members change from stage ${stage} on; this cluster runs stage ${this.stage.number}`);
  }

  /** A port that nobody has, beside those of the other nodes where there is one. */
  async #freePort(): Promise<number> {
    const ports = this.nodes.map(({ address }) => parseAddress(address).port);
    for (let port = Math.max(...ports) + 1; port % 10 !== 0; port += 1)
      if (await areFree([port])) return port;
    for (const block of blocks(anyPort(), 1)) {
      const [port = 0] = block.ports;
      if (await areFree([port])) return port;
    }
    throw new Error('no port is free');
  }

  /** Stops every node, and the network. Resolves when nothing is left. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(node => node.stop()));
    await this.#switchboard.close();
  }

  /** Kills every node at once, when there is no time for `stop`. */
  abandon(): void {
    for (const { pid } of this.nodes) if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }
}

export function findStage(number: number | undefined): Stage {
  const stage = number === undefined ? STAGES.at(-1) : STAGES.find(each => each.number === number);
  if (stage !== undefined) return stage;
  throw new Error(`there is no stage ${number} yet: there are ${STAGES.map(each => each.number).join(', ')}`);
}

function nodeOf(
  { id, address }: NodeAddress,
  way: readonly string[],
  switchboard: Switchboard,
  stage: Stage,
  { data, flags = [], nodeFlags, onEnd, onLine }: ClusterOptions,
): NodeProcess {
  const own = ['--stage', String(stage.number)];
  if (stage.nodes > 1) {
    own.push(...way, '--peer-proxy', switchboard.proxyOf(id));
  }
  if (data !== undefined) own.push('--data', join(data, id));
  return new NodeProcess(
    { id, address },
    {
      flags: [...own, ...flags],
      ...(nodeFlags && { nodeFlags: nodeFlags(id) }),
      ...(onEnd && { onEnd }),
      ...(onLine && { onLine }),
    },
  );
}

/** Whether a node says that it leads, and that all other members are with it. */
async function isConnectedLeader(node: NodeProcess): Promise<boolean> {
  try {
    const { role, members } = JSON.parse(await ask(node.address, '{"op":"status"}', LOOK_PATIENCE));
    const isAlone = role === 'single';
    return isAlone || (role === 'leader' && members.every((member: { active?: boolean }) => member.active));
  } catch {
    return false;
  }
}

/** Whether a node knows itself as a voter. */
async function isVoter({ id, address }: NodeProcess): Promise<boolean> {
  try {
    const { members } = JSON.parse(await ask(address, '{"op":"members"}', LOOK_PATIENCE));
    return members.some(
      (member: { id: string; role: string }) => member.id === id && member.role === 'voter',
    );
  } catch {
    return false;
  }
}

/** Whether somebody else has the port: our own attempt to listen says so, and a node with its exit status. */
function isInUse(error: unknown): boolean {
  if (error instanceof StartFailure) return error.exit?.status === 3;
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
}
