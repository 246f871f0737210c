import { setTimeout as wait } from 'node:timers/promises';
import { type Client, type ClientOptions, connect, RaftlineError } from '../client/client.ts';
import type { NodeAddress } from '../src/wire/address.ts';
import { failure, refuse } from '../src/wire/errors.ts';
import type { Rendezvous } from './rendezvous.ts';

/** Milliseconds between two looks at who is there, and between two tries to reach the registry. */
const BETWEEN = 250;
/** Seconds after which a node that does not show itself any more counts as gone. */
const TTL = 5;
/** Under which prefix of the registry's keys all tokens are. */
const ROOT = '/raftline/discovery';

/** A node that has registered. `instance` tells its data directory from any other that it may have later. */
export interface Registered extends NodeAddress {
  readonly instance: string;
}

/** What anyone can know of a node that has registered. */
export interface Known extends NodeAddress {
  /** One of those that begin the cluster. */
  readonly isFounder: boolean;
  /** It has shown itself lately. */
  readonly isUp: boolean;
}

/**
 * The nodes of one cluster-to-be, as a running cluster keeps them: each registers under the token, and those that
 * came first are the founders. Who came first is told by the revisions that created their keys, so all see the same.
 */
export class Registry {
  readonly #client: Client;
  readonly #path: string;

  /** Throws BAD_REQUEST when an address is none. */
  constructor({ addresses, token }: Rendezvous, options: ClientOptions = {}) {
    this.#client = connect(addresses, { failFast: true, ...options });
    this.#path = `${ROOT}/${token}`;
  }

  /** Says how many found the cluster; whoever says it first decides. */
  async agreeOnSize(size: number): Promise<void> {
    const key = `${this.#path}/size`;
    try {
      await this.#client.set(key, String(size), { if: { absent: true } });
    } catch (error) {
      if (!(error instanceof RaftlineError) || error.code !== 'CONFLICT') throw error;
      const { value } = await this.#client.get(key);
      if (value === String(size)) return;
      const words = `this token is for a cluster of ${value} nodes, not ${size}: use the same --size, or another token`;
      refuse('BAD_REQUEST', words);
    }
  }

  /** Registers a node; again is the same as once. A second node of its id is refused, and so is the same with other data. */
  async enrol({ id, address, instance }: Registered): Promise<void> {
    const key = `${this.#path}/nodes/${id}`;
    const value = JSON.stringify({ address, instance });
    try {
      await this.#client.set(key, value, { if: { absent: true } });
    } catch (error) {
      if (!(error instanceof RaftlineError) || error.code !== 'CONFLICT') throw error;
      const found = read(id, (await this.#client.get(key)).value);
      if (found?.instance === instance && found.address === address) return;
      const who = `${id} is registered already, at ${found?.address ?? 'no address'}`;
      const why =
        found?.address === address
          ? 'with data that this directory does not have: a node that lost its data must not come back under its id'
          : 'by another node, or from another address';
      throw new RaftlineError(failure('CLUSTER_MISMATCH', `${who}, ${why}; give this node a new --id`));
    }
  }

  /** All that have registered, in the order in which they came. */
  async nodes(): Promise<Registered[]> {
    const prefix = `${this.#path}/nodes/`;
    const found: { readonly create: number; readonly node: Registered }[] = [];
    for await (const { key, value, create } of this.#client.list(prefix, { values: true })) {
      const node = read(key.slice(prefix.length), value);
      if (node !== undefined) found.push({ create, node });
    }
    return found.sort((a, b) => a.create - b.create).map(({ node }) => node);
  }

  /** What anyone can know, in the order in which they came. */
  async known(): Promise<Known[]> {
    const nodes = await this.nodes();
    const size = Number((await this.#client.get(`${this.#path}/size`)).value ?? 0);
    const prefix = `${this.#path}/alive/`;
    const present = new Set<string>();
    for await (const key of this.#client.list(prefix)) present.add(key.slice(prefix.length));
    return nodes.map(({ id, address }, at) => ({
      id,
      address,
      isFounder: at < size,
      isUp: present.has(id),
    }));
  }

  /** Shows a node for as long as it runs: when it is gone, so is its key, after a while. */
  async show({ id, address }: NodeAddress, signal: AbortSignal): Promise<void> {
    const key = `${this.#path}/alive/${id}`;
    let lease: unknown;
    while (!signal.aborted) {
      try {
        if (lease === undefined) {
          const granted = await this.#client.request('grant', { ttl: TTL }, { signal });
          await this.#client.request('set', { key, value: address, lease: granted.lease }, { signal });
          lease = granted.lease;
        } else {
          await this.#client.request('renew', { lease }, { signal });
        }
      } catch (error) {
        if (!(error instanceof RaftlineError)) throw error;
        // The registry may be away for longer than the lease: then it begins anew.
        if (!error.retry) lease = undefined;
      }
      await wait((TTL * 1_000) / 4, undefined, { signal }).catch(() => {});
    }
    if (lease !== undefined) await this.#client.request('revoke', { lease }).catch(() => {});
  }

  /** The first nodes, once so many have come. */
  async founders(size: number, came: (count: number) => void, signal: AbortSignal): Promise<Registered[]> {
    for (let before = -1; ; ) {
      const nodes = await persist(() => this.nodes(), signal);
      if (nodes.length >= size) return nodes.slice(0, size);
      if (nodes.length !== before) came(nodes.length);
      before = nodes.length;
      await wait(BETWEEN, undefined, { signal });
    }
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

/** Does something that may be repeated, until the registry can be reached or has refused it. */
export async function persist<T>(act: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof RaftlineError) || !error.retry) throw error;
      await wait(BETWEEN, undefined, { signal });
    }
  }
}

function read(id: string, value: string | null): Registered | undefined {
  try {
    const { address, instance } = JSON.parse(value ?? '') as Record<string, unknown>;
    return typeof address === 'string' && typeof instance === 'string'
      ? { id, address, instance }
      : undefined;
  } catch {
    return undefined;
  }
}
