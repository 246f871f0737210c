import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { NodeOptions, RunningNode } from '../../src/node/options.ts';
import { STAGES } from '../../stages/stages.ts';

/** What a test may set of a node; where it listens, the system chooses unless told. */
export type TestOptions = Partial<NodeOptions>;

const LOCAL = { host: '127.0.0.1', port: 0 };

/** Starts a stage's server in this process, on a port that the system chooses. */
export async function startNode(stage: number, options: TestOptions = {}): Promise<RunningNode> {
  const known = STAGES.find(({ number }) => number === stage);
  if (known === undefined) throw new Error(`there is no stage ${stage}`);
  const { start } = await known.load();
  return start({ id: 'n1', listen: LOCAL, ...options });
}

/** What a process of `forkNode` says of itself: its memory in bytes, after a garbage collection. */
export interface Usage {
  readonly rss: number;
  readonly heap: number;
  /** Milliseconds of processor time since it began. */
  readonly cpu: number;
}

/** A node in a process of its own. */
export class ForkedNode {
  readonly address: string;
  readonly pid: number;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, address: string) {
    this.#child = child;
    this.address = address;
    this.pid = child.pid ?? 0;
  }

  /** True until the process ends, for whatever reason. */
  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async usage(): Promise<Usage> {
    return (await this.#ask('usage')) as Usage;
  }

  /** Opens so many files at once in the process, and resolves with how many it could. */
  async openFiles(count: number): Promise<number> {
    return (await this.#ask(count)) as number;
  }

  async #ask(question: string | number): Promise<unknown> {
    this.#child.send(question);
    const [answer] = await once(this.#child, 'message');
    return answer;
  }

  /** Kills the process as a power cut would, and waits until it is gone. */
  async kill(): Promise<void> {
    if (!this.isAlive) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

/** Runs `raftline serve` itself at a stage that needs no data directory; `end` kills it as a power cut would. */
export async function serveNode(stage: number): Promise<{ readonly address: string; end(): Promise<void> }> {
  const program = fileURLToPath(new URL('../../bin/raftline.js', import.meta.url));
  const args = ['serve', '--stage', String(stage), '--listen', '127.0.0.1:0', '--stop-with-stdin'];
  const child = spawn(process.execPath, [program, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`raftline serve ended with ${code} before it listened`);
  });
  const [line] = (await Promise.race([once(child.stdout, 'data'), exited])) as [Buffer];
  exited.catch(() => {});
  const address = / listens on (\S+)/.exec(line.toString())?.[1];
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  if (address !== undefined) return { address, end };
  await end();
  throw new Error(`raftline serve printed ${JSON.stringify(line.toString())}`);
}

/**
 * Starts a stage's server in a process of its own, which ends at the latest when this one does. `descriptors` is
 * how many the process may have open.
 */
export async function forkNode(
  stage: number,
  options: TestOptions = {},
  descriptors?: number,
): Promise<ForkedNode> {
  const script = fileURLToPath(new URL('node-process.js', import.meta.url));
  const command = [process.execPath, '--expose-gc', script, String(stage), JSON.stringify(options)];
  const limit = descriptors === undefined ? '' : `ulimit -n ${descriptors} && `;
  const child = spawn('/bin/sh', ['-c', `${limit}exec "$0" "$@"`, ...command], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ready = once(child, 'message') as Promise<[string]>;
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the node's process ended with ${code} before it listened`);
  });
  const [address] = await Promise.race([ready, exited]);
  exited.catch(() => {});
  return new ForkedNode(child, address);
}
