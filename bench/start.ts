import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Spread, spread } from './measure.ts';
import { freePorts } from './ports.ts';
import { startProcess, stopProcess } from './processes.ts';

/** Milliseconds from the start of a process until it says that it listens. */
export interface StartMeasurement {
  readonly bare: Spread;
  readonly node: Spread;
  /** What a node takes beyond a bare server, round by round. */
  readonly above: Spread;
}

/** Starts a bare server of Node and a node of the last stage with an empty directory, in turns. */
export async function measureStart(directory: string, rounds: number): Promise<StartMeasurement> {
  const bare = fileURLToPath(new URL('bare.js', import.meta.url));
  const raftline = fileURLToPath(new URL('../bin/raftline.js', import.meta.url));
  const times: { bare: number; node: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const [port] = await freePorts(1);
    const data = join(directory, `start-${round}`);
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const where = ['--listen', `127.0.0.1:${port}`, '--nodes', `n1=127.0.0.1:${port}`, '--data', data];
    times.push({
      bare: await timeOf([bare]),
      node: await timeOf([raftline, 'serve', '--id', 'n1', ...where, '--stop-with-stdin']),
    });
  }
  return {
    bare: spread(times.map(time => time.bare)),
    node: spread(times.map(time => time.node)),
    above: spread(times.map(time => time.node - time.bare)),
  };
}

async function timeOf(args: readonly string[]): Promise<number> {
  const began = performance.now();
  const { child } = await startProcess(process.execPath, args);
  const took = performance.now() - began;
  await stopProcess(child);
  return took;
}
