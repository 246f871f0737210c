import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const program = fileURLToPath(new URL('../../bin/raftline.js', import.meta.url));

/** Whether a process exists; one that has ended and waits for its parent to take note of it does not count. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return !existsSync('/proc/self/stat');
  }
}

/** Resolves when the condition holds; rejects, saying what was waited for, when it does not come to. */
export async function until(
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
  patience = 15_000,
): Promise<void> {
  const deadline = performance.now() + patience;
  while (!(await holds())) {
    if (performance.now() > deadline) {
      throw new Error(`waited ${patience} ms in vain: ${typeof what === 'string' ? what : what()}`);
    }
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

/** The program in a process of its own, with all that it prints. */
export class Program {
  readonly child: ChildProcess;
  readonly exit: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
  #output = '';
  #errors = '';
  #read = 0;

  /** `stdin` is a pipe unless it is to be empty; `env` adds to our own environment. */
  constructor(args: readonly string[], stdin: 'pipe' | 'ignore' = 'pipe', env: Record<string, string> = {}) {
    this.child = spawn(process.execPath, [program, ...args], {
      stdio: [stdin, 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.child.stdin?.on('error', () => {});
    this.child.stdout?.on('data', chunk => {
      this.#output += chunk;
    });
    this.child.stderr?.on('data', chunk => {
      this.#errors += chunk;
    });
    this.exit = once(this.child, 'close').then(([status, signal]) => ({ status, signal }));
  }

  get output(): string {
    return this.#output;
  }

  get errors(): string {
    return this.#errors;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The match of the pattern in what has been printed since the last call; what comes after it is for the next. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    let match: RegExpExecArray | null = null;
    const isThere = () => {
      match = pattern.exec(this.#output.slice(this.#read));
      return match !== null;
    };
    await until(() => `${pattern} in ${JSON.stringify(this.#output)} ${this.#errors}`, isThere);
    const found = match as unknown as RegExpExecArray;
    this.#read += found.index + found[0].length;
    return found;
  }

  /** Types a line, and resolves with the first match of the pattern in what comes after. */
  async answers(line: string, pattern: RegExp): Promise<RegExpExecArray> {
    this.#read = this.#output.length;
    this.child.stdin?.write(`${line}\n`);
    return this.says(pattern);
  }

  /** Ends it for certain. */
  async end(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.exit;
  }
}

/** A lab that has started, and where its nodes are. */
export class LabProgram extends Program {
  readonly nodes: { id: string; address: string; pid: number }[] = [];

  static async start(args: readonly string[], stdin?: 'pipe' | 'ignore'): Promise<LabProgram> {
    const lab = new LabProgram(['lab', ...args], stdin);
    await lab.says(/quit ends it all\n/);
    for (const [, id = '', address = '', pid] of lab.output.matchAll(/^(n\d+) +(\S+:\d+) +(\d+)$/gm)) {
      lab.nodes.push({ id, address, pid: Number(pid) });
    }
    return lab;
  }

  /** Resolves when none of its nodes is left. */
  nodesAreGone(): Promise<void> {
    return until('the nodes are gone', () => this.nodes.every(node => !isAlive(node.pid)));
  }
}
