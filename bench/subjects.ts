import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from '../client/client.ts';
import { NodeProcess } from '../lab/node-process.ts';
import { STAGES } from '../stages/stages.ts';
import { type Etcd, startEtcd } from './etcd.ts';
import { freePorts } from './ports.ts';
import { startProcess, stopProcess } from './processes.ts';

/** A server or a cluster that is measured, once it runs. */
export interface RunningSubject {
  /** Where requests go: in a cluster, to its leader. */
  readonly address: string;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/** What can be measured. `start` gets a directory of its own, on a real disk. */
export interface Subject {
  readonly name: string;
  readonly start: (directory: string) => Promise<RunningSubject>;
}

/** The stage that people get. */
const LAST_STAGE = STAGES.at(-1)?.number ?? 0;
/** Milliseconds that a cluster has to elect a leader. */
const PATIENCE = 30_000;

/** The bare limit; it answers a `get` with a value of this size. */
export function echo(size: number): Subject {
  return {
    name: 'echo',
    start: async () => {
      const script = fileURLToPath(new URL('echo.js', import.meta.url));
      const { child, line } = await startProcess(process.execPath, [script, String(size)]);
      const address = line.replace('listens on ', '');
      return { address, pids: [child.pid ?? 0], stop: () => stopProcess(child) };
    },
  };
}

/** One node of a stage that keeps nothing on disk. */
export function stage(number: number, flags: readonly string[] = []): Subject {
  const own = ['--stage', String(number), ...flags];
  return { name: `stage ${number}`, start: () => startNodes(1, own, undefined) };
}

/** A cluster of the last stage; `how` is what flags make of it, as part of its name. */
export function cluster(size: number, flags: readonly string[] = [], how = ''): Subject {
  const name = `${size === 1 ? '1 node' : `${size} nodes`}${how}`;
  return { name, start: directory => startNodes(size, ['--stage', String(LAST_STAGE), ...flags], directory) };
}

export function etcdCluster(etcd: Etcd, size: number): Subject {
  return { name: `etcd × ${size}`, start: directory => startEtcd(etcd, size, directory) };
}

/** Starts `raftline serve`, a process for each node, and waits for a leader. */
async function startNodes(
  size: number,
  stageFlags: readonly string[],
  directory: string | undefined,
): Promise<RunningSubject> {
  const ports = await freePorts(size);
  const addresses = ports.map((port, at) => ({ id: `n${at + 1}`, address: `127.0.0.1:${port}` }));
  const list = addresses.map(({ id, address }) => `${id}=${address}`).join(',');
  const nodes = addresses.map(({ id, address }) => {
    const data = directory === undefined ? [] : ['--nodes', list, '--data', join(directory, id)];
    return new NodeProcess({ id, address }, { flags: [...stageFlags, ...data] });
  });
  const stop = async () => {
    await Promise.all(nodes.map(node => node.stop()));
  };
  try {
    await Promise.all(nodes.map(node => node.start()));
    const address = await leaderOf(addresses.map(node => node.address));
    return { address, pids: nodes.map(node => node.pid ?? 0), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The address of the node that leads. */
async function leaderOf(addresses: readonly string[]): Promise<string> {
  const clients = addresses.map(address => connect(address));
  try {
    for (const deadline = performance.now() + PATIENCE; performance.now() < deadline; ) {
      const said = await Promise.all(clients.map(client => client.status()));
      const leader = said[0]?.leader?.address;
      if (leader !== undefined && said.every(status => status.leader?.address === leader)) return leader;
      await new Promise(resolve => setTimeout(resolve, 50));
    }
    throw new Error(`no leader after ${PATIENCE / 1_000} s`);
  } finally {
    await Promise.all(clients.map(client => client.close()));
  }
}
