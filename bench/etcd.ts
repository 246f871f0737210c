import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from './ports.ts';
import { startProcess, stopProcess } from './processes.ts';
import type { RunningSubject } from './subjects.ts';

/** Milliseconds that a cluster has to elect a leader. */
const PATIENCE = 30_000;

/** Starts etcd beside a shell, which ends it when its own standard input ends: etcd itself would outlive a killed parent. */
const SCRIPT = '"$0" "$@" >/dev/null 2>&1 & echo $!; read -r _; exec 2>/dev/null; kill $!; wait $!';

/** An etcd program, and the version that it says it is. */
export interface Etcd {
  readonly program: string;
  readonly version: string;
}

/** The program at this path, or the one that the shell would find; undefined when there is none. */
export function findEtcd(program = 'etcd'): Etcd | undefined {
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  const version = /etcd Version: (\S+)/.exec(stdout ?? '')?.[1];
  return status === 0 && version !== undefined ? { program, version } : undefined;
}

/** A cluster of etcd with default settings, each node a process with a directory of its own. */
export async function startEtcd({ program }: Etcd, size: number, directory: string): Promise<RunningSubject> {
  const ports = await freePorts(2 * size);
  const nodes = Array.from({ length: size }, (_, at) => ({
    name: `n${at + 1}`,
    client: `http://127.0.0.1:${ports[2 * at]}`,
    peer: `http://127.0.0.1:${ports[2 * at + 1]}`,
  }));
  const all = nodes.map(({ name, peer }) => `${name}=${peer}`).join(',');
  const children: ChildProcess[] = [];
  const stop = async () => {
    await Promise.all(children.map(stopProcess));
  };
  try {
    const pids: number[] = [];
    for (const { name, client, peer } of nodes) {
      const data = join(directory, name);
      mkdirSync(data, { recursive: true, mode: 0o700 });
      const where = ['--listen-client-urls', client, '--advertise-client-urls', client];
      const peers = ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer];
      const flags = ['--name', name, '--data-dir', data, ...where, ...peers, '--initial-cluster', all];
      const { child, line } = await startProcess('/bin/sh', ['-c', SCRIPT, program, ...flags]);
      children.push(child);
      pids.push(Number(line));
    }
    const leader = await leaderOf(nodes.map(({ client }) => client));
    return { address: leader.replace('http://', ''), pids, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The address of the node that leads, once all agree on one. */
async function leaderOf(addresses: readonly string[]): Promise<string> {
  for (const deadline = performance.now() + PATIENCE; performance.now() < deadline; ) {
    const said = await Promise.all(addresses.map(askStatus));
    const leader = said.findIndex(status => status !== undefined && status.leader === status.id);
    if (leader !== -1 && said.every(status => status?.leader === said[leader]?.id))
      return addresses[leader] ?? '';
    await new Promise(resolve => setTimeout(resolve, 100));
  }
  throw new Error(`etcd at ${addresses.join(', ')} has no leader after ${PATIENCE / 1_000} s`);
}

async function askStatus(address: string): Promise<{ id: string; leader: string } | undefined> {
  try {
    const response = await fetch(`${address}/v3/maintenance/status`, { method: 'POST', body: '{}' });
    const { header, leader } = (await response.json()) as { header: { member_id: string }; leader?: string };
    return leader === undefined ? undefined : { id: header.member_id, leader };
  } catch {
    return undefined; // it does not listen yet
  }
}
