import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** Milliseconds that a process has to say that it is ready, and to end once it is told to. */
const PATIENCE = 30_000;
/** Ticks of a second in which Linux counts processor time. */
const TICKS = 100;

/** Milliseconds of processor time that these processes have taken so far; NaN where the system does not say. */
export function processorTime(pids: readonly number[]): number {
  try {
    let ticks = 0;
    for (const pid of pids) {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      // proc(5): the name, which may hold anything, ends with the last bracket; utime and stime are fields 14 and 15.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      ticks += Number(fields[11]) + Number(fields[12]);
    }
    return (ticks * 1_000) / TICKS;
  } catch {
    return Number.NaN;
  }
}

/** Starts a process that never outlives this one, and resolves with what it then says of itself on its first line. */
export async function startProcess(
  command: string,
  args: readonly string[],
): Promise<{ child: ChildProcess; line: string }> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const failed = Promise.race([
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`${command} ended with ${code}`))),
    once(child, 'error').then(([error]) => Promise.reject(error)),
  ]);
  const [line] = (await Promise.race([once(child.stdout, 'data'), failed])) as [Buffer];
  failed.catch(() => {});
  return { child, line: line.toString().trim() };
}

/** Ends its standard input, which it understands; kills it when it does not. */
export async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  child.stdin?.end();
  await gone;
  clearTimeout(patience);
}
