import { spawnSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import split2 from 'split2';
import { parseAddress } from '../../src/wire/address.ts';
import { mutated } from '../shared/hostile/mutations.ts';
import { Random } from '../shared/random.ts';
import { pause } from './caller.ts';
import type { Verdicts } from './verdicts.ts';
import { GARBLED, replyIn } from './wire.ts';
import type { World } from './world.ts';

/** Connections that send garbage, and lines that each sends before it waits for the answers. */
const HOSTILE = 6;
const BATCH = 100;
/** Milliseconds that a node has to answer a batch. */
const PATIENCE = 20_000;
/** Mebibytes that a node may grow by; what it has learnt by heart of its log counts, too. */
const MOST_GROWTH = 300;
/** Milliseconds between two looks at how large the nodes are. */
const LOOK = 1_000;
/** Prefixes of keys that others rely on. */
const DEAR = ['/inserted/', '/contended/', '/probe/'];

export interface HostileResult {
  readonly lines: number;
  /** How many lines each code answered. */
  readonly codes: Readonly<Record<string, number>>;
  /** Mebibytes that each node grew by at most. */
  readonly growth: Readonly<Record<string, number>>;
}

/** Sends so many damaged lines to all nodes; every batch ends with a good line, which has to be answered. */
export async function sendHostileLines(world: World, lines: number, seed: number): Promise<HostileResult> {
  const counts = new Map<string, number>();
  const sizes = new Map(world.ids.map(id => [id, memoryOf(world.node(id).pid)]));
  const growth = new Map<string, number>(world.ids.map(id => [id, 0]));
  let left = lines;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      await pause(LOOK);
      for (const [id, before] of sizes) {
        growth.set(id, Math.max(growth.get(id) ?? 0, memoryOf(world.node(id).pid) - before));
      }
    }
  })();
  const send = async (at: number) => {
    const dice = new Random(seed + at);
    const address = world.cluster.addresses[at % world.ids.length] ?? '';
    let stranger: Stranger | undefined;
    while (left > 0) {
      const size = Math.min(BATCH, left);
      left -= size;
      stranger ??= new Stranger(address, counts);
      const isOpen = await stranger.send(harmless(dice, size), world.verdicts);
      if (!isOpen) stranger = undefined;
    }
    stranger?.close();
  };
  await Promise.all(Array.from({ length: HOSTILE }, (_, at) => send(at)));
  isOver = true;
  await watching;
  for (const [id, mebibytes] of growth) {
    const words = `${id} has grown by ${mebibytes} MiB`;
    world.check(`memory grows by no more than ${MOST_GROWTH} MiB`, mebibytes <= MOST_GROWTH, words);
  }
  world.check(
    'every answer can be read',
    !counts.has(GARBLED),
    `${counts.get(GARBLED)} lines that are no JSON`,
  );
  return { lines, codes: Object.fromEntries(counts), growth: Object.fromEntries(growth) };
}

/** Damaged lines, save those that happen to be a sound order to remove what others rely on. */
function harmless(dice: Random, count: number): Buffer[] {
  const lines: Buffer[] = [];
  while (lines.length < count) {
    const line = mutated(dice);
    if (!isHarmful(line.toString())) lines.push(line);
  }
  return lines;
}

function isHarmful(line: string): boolean {
  if (!line.includes('remove')) return false;
  const prefixes = [...line.matchAll(/"prefix"\s*:\s*"([^"]*)/g)].map(([, prefix = '']) => prefix);
  return prefixes.some(prefix => DEAR.some(dear => dear.startsWith(prefix)));
}

/** A connection that says mostly nonsense. */
class Stranger {
  readonly #socket: Socket;
  readonly #counts: Map<string, number>;
  #batch = 0;
  #onMark: ((isOpen: boolean) => void) | undefined;

  constructor(address: string, counts: Map<string, number>) {
    this.#counts = counts;
    this.#socket = connect({ ...parseAddress(address), noDelay: true });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#onMark?.(false));
    this.#socket.pipe(split2(), { end: false }).on('data', (line: string) => this.#take(line));
  }

  /** Resolves when the good line behind the others is answered; false when the connection was closed before. */
  async send(lines: readonly Buffer[], verdicts: Verdicts): Promise<boolean> {
    this.#batch += 1;
    let timer: NodeJS.Timeout | undefined;
    const outcome = new Promise<boolean | 'late'>(resolve => {
      this.#onMark = resolve;
      timer = setTimeout(() => resolve('late'), PATIENCE);
    });
    this.#socket.write(Buffer.concat([...lines, Buffer.from(`{"op":"ping","id":"mark ${this.#batch}"}\n`)]));
    const isOpen = await outcome;
    clearTimeout(timer);
    const words = `no answer within ${PATIENCE} ms`;
    verdicts.check('a good line behind bad ones is answered', isOpen !== 'late', words);
    if (isOpen !== true) this.close();
    return isOpen === true;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(line: string): void {
    const { id, ok, error } = replyIn(line);
    const code = ok === true ? 'ok' : (error?.code ?? 'push');
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    if (id === `mark ${this.#batch}`) this.#onMark?.(true);
  }
}

/** Mebibytes that a process has in memory; 0 when it is gone. */
function memoryOf(pid: number | undefined): number {
  if (pid === undefined) return 0;
  const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
  return Math.round(Number(stdout) / 1_024);
}
