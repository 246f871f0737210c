import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import split2 from 'split2';
import type { NodeAddress } from '../src/wire/address.ts';

/** Milliseconds that a node has to listen, on a machine that has much else to do. */
const START_PATIENCE = 30_000;
/** Milliseconds that a node has to shut down, before it is killed. */
const STOP_PATIENCE = 12_000;
/** Lines of standard error that are kept. */
const TAIL = 20;

const program = fileURLToPath(new URL('../bin/raftline.js', import.meta.url));

/** `stopped` and `killed` are what we did to it; `ended` is what it did by itself, or somebody else to it. */
export type ProcessState = 'starting' | 'running' | 'paused' | 'stopping' | 'stopped' | 'killed' | 'ended';

/** How a process ended: with a status, or by a signal. */
export interface Exit {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A node that did not come to listen. Status 3 says that its address is in use. */
export class StartFailure extends Error {
  readonly exit: Exit | undefined;

  constructor(id: string, exit: Exit | undefined, stderr: readonly string[]) {
    const what =
      exit === undefined ? `did not listen within ${START_PATIENCE / 1_000} s` : describeExit(exit);
    super([`${id} ${what} before it listened`, ...stderr].join('\n  '));
    this.name = 'StartFailure';
    this.exit = exit;
  }
}

export interface ProcessOptions {
  /** What follows `raftline serve` on its command line. */
  readonly flags: readonly string[];
  /** What comes before the program: flags of Node itself. */
  readonly nodeFlags?: readonly string[];
  /** Hears of a node that ends although nobody here stopped it. */
  readonly onEnd?: (node: NodeProcess) => void;
  /** Hears every line of its standard error. */
  readonly onLine?: (node: NodeProcess, line: string) => void;
}

/** A node in a process of its own, which can be stopped and started again; its address and flags stay. */
export class NodeProcess {
  readonly id: string;
  readonly address: string;
  readonly #options: ProcessOptions;
  #child: ChildProcess | undefined;
  #closed: Promise<unknown> = Promise.resolve();
  #state: ProcessState = 'stopped';
  #exit: Exit | undefined;
  #stderr: string[] = [];
  #guard: ChildProcess | undefined;

  constructor({ id, address }: NodeAddress, options: ProcessOptions) {
    this.id = id;
    this.address = address;
    this.#options = options;
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** Its process id; undefined while it has no process. */
  get pid(): number | undefined {
    return this.#isAlive ? this.#child?.pid : undefined;
  }

  /** How its last process ended; undefined while one is alive. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** The last lines that it wrote to standard error. */
  get stderr(): readonly string[] {
    return this.#stderr;
  }

  get #isAlive(): boolean {
    return this.#child !== undefined && this.#exit === undefined;
  }

  /** Starts its process, and resolves when it listens. Rejects with a `StartFailure` when it does not. */
  async start(): Promise<void> {
    if (this.#isAlive) throw new Error(`${this.id} runs already`);
    this.#exit = undefined;
    this.#stderr = [];
    this.#state = 'starting';
    // In a session of its own, so that Ctrl-C in a terminal reaches the lab alone, and the lab ends it in order.
    const { nodeFlags = [], flags } = this.#options;
    const args = [...nodeFlags, program, 'serve', '--id', this.id, '--listen', this.address, ...flags];
    const child = spawn(process.execPath, [...args, '--stop-with-stdin'], { detached: true, stdio: 'pipe' });
    this.#child = child;
    child.on('error', error => this.#stderr.push(error.message));
    child.stdin.on('error', () => {});
    child.stderr.pipe(split2()).on('data', (line: string) => this.#said(line));
    this.#closed = once(child, 'close');
    child.on('close', (status: number | null, signal: NodeJS.Signals | null) =>
      this.#ended({ status, signal }),
    );
    await this.#listens(child);
  }

  async #listens(child: ChildProcess): Promise<void> {
    let isLate = false;
    const patience = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, START_PATIENCE);
    const output = child.stdout?.pipe(split2());
    const isListening = await new Promise<boolean>(resolve => {
      output?.on('data', (line: string) => line.includes(' listens on ') && resolve(true));
      child.on('close', () => resolve(false));
    });
    clearTimeout(patience);
    if (!isListening) throw new StartFailure(this.id, isLate ? undefined : this.#exit, this.#stderr);
    if (this.#state === 'starting') this.#state = 'running';
  }

  #said(line: string): void {
    this.#stderr.push(line);
    if (this.#stderr.length > TAIL) this.#stderr.shift();
    this.#options.onLine?.(this, line);
  }

  #ended(exit: Exit): void {
    const before = this.#state;
    this.#exit = exit;
    this.#dismissGuard();
    if (before === 'stopping') this.#state = 'stopped';
    else if (before !== 'killed') this.#state = 'ended';
    if (before === 'running' || before === 'paused') this.#options.onEnd?.(this);
  }

  /** SIGKILL: it gets no chance to do anything. Resolves when it is gone. */
  async kill(): Promise<void> {
    if (!this.#isAlive) throw this.#notAlive();
    this.#state = 'killed';
    this.#child?.kill('SIGKILL');
    await this.#closed;
  }

  /** SIGTERM, and SIGKILL when that does not end it in time. Resolves when it is gone, at once if it is so already. */
  async stop(): Promise<void> {
    if (!this.#isAlive) return;
    this.#state = 'stopping';
    this.#child?.kill('SIGTERM');
    this.#child?.kill('SIGCONT');
    const patience = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_PATIENCE);
    await this.#closed;
    clearTimeout(patience);
  }

  /** Starts it again, after having stopped it if it runs. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** SIGSTOP: it stands still, and its connections stay open. */
  pause(): void {
    const pid = this.pid;
    if (this.#state !== 'running' || pid === undefined) throw this.#notAlive();
    this.#state = 'paused';
    this.#guard = guard(pid);
    process.kill(pid, 'SIGSTOP');
  }

  /** SIGCONT: it goes on where it stood still. */
  resume(): void {
    if (this.#state !== 'paused') throw new Error(`${this.id} is not paused: it is ${this.#state}`);
    this.#state = 'running';
    this.#child?.kill('SIGCONT');
    this.#dismissGuard();
  }

  #dismissGuard(): void {
    this.#guard?.kill('SIGKILL');
    this.#guard = undefined;
  }

  #notAlive(): Error {
    return new Error(`${this.id} does not run: it is ${this.#state}`);
  }
}

/**
 * Wakes a paused node when this process is gone, however it went: the node stands still and cannot notice, and would
 * stay for ever. Awake, it sees that its standard input has ended, and stops.
 */
function guard(pid: number): ChildProcess {
  const script = 'read -r _; kill -CONT "$1"';
  return spawn('/bin/sh', ['-c', script, 'sh', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}

/** In words that follow the node's name: `ended with status 1`. */
export function describeExit({ status, signal }: Exit): string {
  return signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
}
