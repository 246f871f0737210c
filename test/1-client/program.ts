import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export const PROGRAM = fileURLToPath(new URL('../../bin/raftline.js', import.meta.url));

export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  /** What standard input holds; it ends behind it. */
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `raftline` as a process of its own. Whoever starts it ends it, or waits for its end. */
export function startProgram(
  args: readonly string[],
  env: RunOptions['env'] = {},
): ChildProcessWithoutNullStreams {
  const { RAFTLINE_ADDRESS: _, ...own } = process.env;
  return spawn(process.execPath, [PROGRAM, ...args], { env: { ...own, ...env }, timeout: 15_000 });
}

/** Runs `raftline` to its end. */
export async function raftline(args: readonly string[], { input, env }: RunOptions = {}): Promise<Ran> {
  const child = startProgram(args, env);
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', text => {
    err += text;
  });
  // A program that needs no input may have gone before it took any.
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  const [status] = await once(child, 'close');
  return { status, out, err };
}
