import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import split2 from 'split2';
import { describeDisk, makeDirectory } from './disk.ts';
import { freePorts } from './ports.ts';
import type { Inside } from './scale-node.ts';

/** Bytes of a value. */
const VALUE = 100;
/** Requests on their way at a time while the store is filled. */
const DEPTH = 2_048;
/** Milliseconds until something is so, or the bench gives up. */
const PATIENCE = 180_000;
/** So much that no node compacts its log by itself: what is measured is asked for. */
const NEVER = 1e12;

export interface ScaleOptions {
  readonly keys: number;
  readonly directory: string | undefined;
}

/** One thing that was measured. */
interface Row {
  readonly what: string;
  readonly seconds: number;
  readonly rate: number;
  /** At the node that did it, and at the leader meanwhile where that is another. */
  readonly stall: number;
  readonly leaderStall?: number;
}

type Status = Readonly<Record<string, number | string>> & {
  readonly snapshot: { readonly index: number; readonly bytes: number };
  readonly log: { readonly bytes: number };
};

/** A node in a process of its own, with a connection to it. */
class Node {
  readonly id: string;
  readonly #options: object;
  #child: ChildProcess | undefined;
  #socket: Socket | undefined;
  #waiting: ((line: string) => void)[] = [];

  constructor(id: string, options: object) {
    this.id = id;
    this.#options = options;
  }

  async start(): Promise<void> {
    const script = fileURLToPath(new URL('scale-node.js', import.meta.url));
    const child = fork(script, ['7', JSON.stringify(this.#options)], {
      execArgv: ['--expose-gc', '--max-old-space-size=4096'],
    });
    this.#child = child;
    const [address] = (await once(child, 'message')) as [string];
    const [host, port] = address.split(':');
    const socket = connect({ host: host ?? '', port: Number(port), noDelay: true });
    this.#socket = socket;
    await once(socket, 'connect');
    socket.on('error', () => {});
    socket.pipe(split2()).on('data', (line: string) => this.#waiting.shift()?.(line));
  }

  async stop(): Promise<void> {
    this.#socket?.destroy();
    this.#waiting = [];
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  send(request: object): Promise<string> {
    return new Promise(resolve => {
      this.#waiting.push(resolve);
      this.#socket?.write(`${JSON.stringify(request)}\n`);
    });
  }

  async ask(request: object): Promise<Record<string, unknown>> {
    return JSON.parse(await this.send({ timeout: PATIENCE, ...request })) as Record<string, unknown>;
  }

  async status(): Promise<Status> {
    return (await this.ask({ op: 'status' })) as unknown as Status;
  }

  async inside(question: 'stall' | 'memory' = 'stall'): Promise<Inside> {
    this.#child?.send(question);
    const [answer] = (await once(this.#child as ChildProcess, 'message')) as [Inside];
    return answer;
  }
}

async function until(what: string, test: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE;
  while (!(await test())) {
    if (performance.now() > end) throw new Error(`it did not come about that ${what}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await run();
  return (performance.now() - began) / 1_000;
}

async function fill(node: Node, keys: number): Promise<void> {
  const value = 'v'.repeat(VALUE);
  let next = 0;
  const writer = async () => {
    while (next < keys) {
      const key = `/scale/${next}`;
      next += 1;
      const reply = await node.send({ op: 'set', key, value, timeout: PATIENCE });
      if (!reply.startsWith('{"ok":true')) throw new Error(`the store could not be filled: ${reply}`);
    }
  };
  await Promise.all(Array.from({ length: DEPTH }, writer));
}

/**
 * What a large store costs: three nodes of stage 7, of which the third comes when the others have a million keys. Each
 * thing is measured with the longest time that its node, and the leader, gave nobody a turn.
 */
class Scale {
  readonly #keys: number;
  readonly #nodes: readonly Node[];
  readonly #rows: Row[] = [];

  constructor(keys: number, nodes: readonly Node[]) {
    this.#keys = keys;
    this.#nodes = nodes;
  }

  #node(at: number): Node {
    const node = this.#nodes[at];
    if (node === undefined) throw new Error('there is no such node');
    return node;
  }

  async #leader(): Promise<Node> {
    let found: Node | undefined;
    await until('a leader is elected', async () => {
      for (const node of this.#nodes.slice(0, 2)) if ((await node.status()).role === 'leader') found = node;
      return found !== undefined;
    });
    return found as Node;
  }

  async run(): Promise<readonly Row[]> {
    await Promise.all([this.#node(0).start(), this.#node(1).start()]);
    const empty = (await this.#node(0).inside('memory')).heap;
    const seconds = await timed(async () => fill(await this.#leader(), this.#keys));
    await this.#row('write every key, by one client', seconds, this.#node(0));
    await this.#replay();
    await this.#snapshot();
    await this.#restart();
    await this.#install();
    const full = (await this.#node(0).inside('memory')).heap;
    console.log(
      `\nmemory: ${Math.round((full - empty) / this.#keys)} bytes of heap for each key of 12 to 14 bytes\n`,
    );
    return this.#rows;
  }

  async #row(what: string, seconds: number, node: Node, leader?: Node): Promise<void> {
    const { stall } = await node.inside();
    const leaderStall = leader === undefined ? undefined : (await leader.inside()).stall;
    const row = { what, seconds, rate: this.#keys / seconds, stall, ...(leaderStall && { leaderStall }) };
    this.#rows.push(row);
    print(row);
  }

  /** From nothing but its log. */
  async #replay(): Promise<void> {
    const node = this.#node(1);
    await node.stop();
    await this.#row('restart and replay the log', await this.#serving(node), node);
  }

  /** Milliseconds from the start of the process to the first answer that needs every key. */
  async #serving(node: Node): Promise<number> {
    return timed(async () => {
      await node.start();
      await until('it serves every key', async () => (await node.status()).keys === this.#keys);
    });
  }

  async #snapshot(): Promise<void> {
    const [first, second] = [this.#node(0), this.#node(1)];
    await this.#row(
      'nothing, for a second',
      await timed(() => new Promise(go => setTimeout(go, 1_000))),
      first,
    );
    const seconds = await timed(() => first.ask({ op: 'snapshot' }));
    await this.#row('snapshot', seconds, first);
    await second.ask({ op: 'snapshot' });
    const { snapshot, log } = await first.status();
    console.log(`${mebibytes(snapshot.bytes)} of snapshot, ${mebibytes(log.bytes)} of log behind it`);
  }

  async #restart(): Promise<void> {
    const node = this.#node(1);
    await node.stop();
    await this.#row('restart from the snapshot', await this.#serving(node), node);
  }

  /** A node that has nothing, with the cluster at work. */
  async #install(): Promise<void> {
    const leader = await this.#leader();
    await leader.inside();
    const newcomer = this.#node(2);
    const seconds = await this.#serving(newcomer);
    await this.#row('install at an empty node', seconds, newcomer, leader);
    const hashes = await Promise.all(this.#nodes.map(node => node.ask({ op: 'hash' })));
    const [{ hash } = { hash: undefined }] = hashes;
    if (hashes.some(other => other.hash !== hash)) throw new Error('the nodes differ');
  }
}

const WIDTHS = [-34, 10, 14, 16, 18] as const;

function line(cells: readonly string[]): string {
  return cells.map((cell, at) => pad(cell, WIDTHS[at] ?? 12)).join('');
}

function pad(cell: string, width: number): string {
  return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
}

function print({ what, seconds, rate, stall, leaderStall }: Row): void {
  const cells = [what, seconds.toFixed(2), Math.round(rate).toLocaleString('en'), stall.toFixed(1)];
  console.log(line([...cells, leaderStall === undefined ? '' : leaderStall.toFixed(1)]));
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(0)} MiB`;
}

/** `npm run bench -- --scale`. */
export async function scale({ keys, directory: parent }: ScaleOptions): Promise<void> {
  const directory = makeDirectory(parent);
  const ports = await freePorts(3);
  const nodes = ports.map((port, at) => ({ id: `n${at + 1}`, address: `127.0.0.1:${port}` }));
  const made = nodes.map(
    ({ id }, at) =>
      new Node(id, {
        id,
        nodes,
        listen: { host: '127.0.0.1', port: ports[at] },
        data: `${directory}/${id}`,
        limits: { entries: NEVER, bytes: NEVER },
      }),
  );
  console.log(`${keys.toLocaleString('en')} keys of ${VALUE} bytes; ${describeDisk(directory)}`);
  console.log(`\n${line(['', 'seconds', 'keys/s', 'stall ms', 'leader stall'])}`);
  try {
    await new Scale(keys, made).run();
  } finally {
    await Promise.all(made.map(node => node.stop()));
    rmSync(directory, { recursive: true, force: true });
  }
}
