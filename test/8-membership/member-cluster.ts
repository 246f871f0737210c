import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeOptions, RunningNode } from '../../src/node/options.ts';
import { formatAddress, parseAddress } from '../../src/wire/address.ts';
import { start } from '../../stages/8-membership/server.ts';
import { eventually, leaderOf } from '../shared/cluster.ts';
import { freeAddress } from '../shared/free-ports.ts';
import { LineClient, type Reply } from '../shared/line-client.ts';

/** Nodes of stage 8 in this process, that come and go; each keeps its data directory and its port. */
export class MemberCluster {
  readonly #data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
  readonly #running = new Map<string, RunningNode>();
  readonly #addresses = new Map<string, string>();
  #directories = 0;
  readonly #directoryOf = new Map<string, string>();

  /** Starts nodes that wait, and makes a cluster of them. */
  static async of(...ids: string[]): Promise<MemberCluster> {
    const cluster = new MemberCluster();
    for (const id of ids) await cluster.start(id);
    const nodes = Object.fromEntries(ids.map(id => [id, cluster.address(id)]));
    const reply = await cluster.ask(ids[0] ?? '', { op: 'init', nodes });
    if (!reply.ok) throw new Error(JSON.stringify(reply));
    await cluster.leader(...ids);
    return cluster;
  }

  /** Starts a node, or starts it again. */
  async start(id: string, options: Partial<NodeOptions> = {}): Promise<void> {
    // A port that the system chose could be somebody else's when the node comes back.
    const listen = parseAddress(this.#addresses.get(id) ?? (await freeAddress()));
    const data = this.#directoryOf.get(id) ?? this.#newDirectory(id);
    const node = await start({ id, listen, data, ...options });
    this.#running.set(id, node);
    this.#addresses.set(id, node.address);
  }

  #newDirectory(id: string): string {
    this.#directories += 1;
    const path = join(this.#data, `${id}-${this.#directories}`);
    this.#directoryOf.set(id, path);
    return path;
  }

  async stop(id: string): Promise<void> {
    await this.#running.get(id)?.close();
    this.#running.delete(id);
  }

  /** Its next start will find an empty directory. */
  wipe(id: string): void {
    this.#newDirectory(id);
  }

  /** It will listen elsewhere from its next start on. */
  move(id: string): void {
    this.#addresses.delete(id);
  }

  get ids(): readonly string[] {
    return [...this.#running.keys()];
  }

  address(id: string): string {
    const address = this.#addresses.get(id);
    if (address === undefined) throw new Error(`${id} was never started`);
    return address;
  }

  async ask(id: string, request: object): Promise<Reply> {
    const client = await LineClient.connect(this.address(id));
    try {
      client.send(request);
      return JSON.parse(await client.line(20_000)) as Reply;
    } finally {
      await client.close();
    }
  }

  status(id: string): Promise<Reply> {
    return this.ask(id, { op: 'status' });
  }

  leader(...ids: string[]): Promise<string> {
    return leaderOf(ids.length > 0 ? ids : this.ids, (id, request) => this.ask(id, request));
  }

  async add(id: string, via?: string): Promise<Reply> {
    const node = { id, address: this.address(id) };
    return this.#patiently(via ?? (await this.leader()), { op: 'add-learner', node });
  }

  async vote(members: readonly string[], via?: string): Promise<Reply> {
    return this.#patiently(via ?? (await this.leader()), {
      op: 'change-membership',
      members,
      timeout: 15_000,
    });
  }

  async remove(node: string, via?: string): Promise<Reply> {
    return this.#patiently(via ?? (await this.leader()), { op: 'remove-node', node });
  }

  /** Repeats what says of itself that it had no effect and may be repeated, as a client would. */
  async #patiently(id: string, request: object): Promise<Reply> {
    for (let tries = 0; ; tries += 1) {
      const reply = await this.ask(id, request);
      const { code } = reply.error ?? {};
      if (reply.ok || (code !== 'CHANGE_IN_PROGRESS' && code !== 'NO_LEADER') || tries === 100) return reply;
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  }

  set(id: string, key: string, value: string): Promise<Reply> {
    return this.ask(id, { op: 'set', key, value });
  }

  /** Waits until these nodes hold equal state, as far as the first has come. */
  async agree(...ids: string[]): Promise<void> {
    await eventually(`${ids.join(', ')} agree`, async () => {
      const hashes = await Promise.all(ids.map(id => this.ask(id, { op: 'hash' })));
      return hashes.every(({ applied, hash }) => applied === hashes[0]?.applied && hash === hashes[0]?.hash);
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.values()].map(node => node.close()));
    rmSync(this.#data, { recursive: true, force: true });
  }
}

/** An address at which nobody listens. */
export const NOWHERE = formatAddress({ host: '127.0.0.1', port: 1 });
