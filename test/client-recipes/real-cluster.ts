import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, type ClientOptions, connect } from '../../client/client.ts';
import { Cluster } from '../../lab/cluster.ts';
import type { TransportName } from '../../src/node/transports.ts';
import { eventually as patiently } from '../shared/cluster.ts';

/** Waits until something is so, on a machine that may have much else to do. */
export function eventually(what: string, test: () => unknown | Promise<unknown>): Promise<void> {
  return patiently(what, test, 45_000);
}

export interface RealOptions {
  /** How nodes speak to each other, and clients to them; lines unless told. */
  readonly transport?: TransportName;
  /** Flags for every node. */
  readonly flags?: readonly string[];
}

/** Three real nodes of the last stage for the tests of a suite, and clients of theirs. */
export class RealCluster {
  #cluster: Cluster | undefined;
  #data = '';
  readonly #options: RealOptions;
  readonly #clients: Client[] = [];

  private constructor(options: RealOptions) {
    this.#options = options;
  }

  /** To be called in a suite: starts the nodes before its tests, mends all after each of them, and stops them at the end. */
  static forSuite(options: RealOptions = {}): RealCluster {
    const real = RealCluster.forSuites(options);
    afterEach(() => real.mend());
    return real;
  }

  /** As `forSuite`, for a suite of suites, which mend what they break themselves. */
  static forSuites(options: RealOptions): RealCluster {
    const real = new RealCluster(options);
    before(() => real.#start());
    after(() => real.#stop());
    return real;
  }

  get cluster(): Cluster {
    if (this.#cluster === undefined) throw new Error('the cluster has not been started');
    return this.#cluster;
  }

  /** A client of all nodes, or of those named, the first of which it asks first. */
  client(ids: readonly string[] = this.cluster.ids, options: ClientOptions = {}): Client {
    const scheme = this.#options.transport === 'grpc' ? 'grpc://' : '';
    const client = connect(
      ids.map(id => `${scheme}${this.cluster.node(id).address}`),
      options,
    );
    this.#clients.push(client);
    return client;
  }

  /** The ids of the nodes, that of the leader first. */
  async idsFromLeader(): Promise<string[]> {
    const leader = await this.cluster.leader();
    if (leader === undefined) throw new Error('there is no leader');
    return [leader.id, ...this.cluster.ids.filter(id => id !== leader.id)];
  }

  async #start(): Promise<void> {
    const { transport = 'lines', flags = [] } = this.#options;
    this.#data = mkdtempSync(join(tmpdir(), 'raftline-recipes-'));
    this.#cluster = await Cluster.start({
      nodes: 3,
      data: this.#data,
      flags: ['--transport', transport, ...flags],
    });
    await this.#cluster.leader();
  }

  /** Makes the cluster whole, and closes all clients. */
  async mend(): Promise<void> {
    const { cluster } = this;
    cluster.heal();
    for (const node of cluster.nodes) {
      if (node.state === 'paused') node.resume();
      if (node.state !== 'running') await node.start();
    }
    await cluster.leader();
    await Promise.all(this.#clients.splice(0).map(client => client.close()));
  }

  async #stop(): Promise<void> {
    await this.#cluster?.stop();
    rmSync(this.#data, { recursive: true, force: true });
  }
}
