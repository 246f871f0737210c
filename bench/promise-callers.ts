import { Etcd3 } from 'etcd3';
import { connect } from '../client/client.ts';
import type { Histogram } from './histogram.ts';
import type { Callers, Task, Way } from './load.ts';
import { keysOf, textOf } from './requests.ts';

/** What both clients can do alike. */
interface PromiseClient {
  /** The value of a key, as of now: linearizable. */
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<unknown>;
}

/** One client of each server for the life of this process, as a program would have it. */
const clients = new Map<string, PromiseClient>();

function clientOf({ way, address }: Pick<Task, 'way' | 'address'>): PromiseClient {
  const name = `${way} ${address}`;
  const known = clients.get(name);
  if (known !== undefined) return known;
  const client = way === 'etcd3' ? etcd3(address) : raftline(way, address);
  clients.set(name, client);
  return client;
}

function raftline(way: Way, address: string): PromiseClient {
  const client = connect(way === 'grpc' ? `grpc://${address}` : address, { session: way !== 'unnumbered' });
  return {
    get: async key => (await client.get(key)).value,
    set: (key, value) => client.set(key, value),
  };
}

function etcd3(address: string): PromiseClient {
  const client = new Etcd3({ hosts: `http://${address}` });
  return {
    get: key => client.get(key).string(),
    set: (key, value) => client.put(key).value(value).exec(),
  };
}

/** Writes every key once, so that it can be read. */
export async function writeAll({ way, address, size }: Task): Promise<void> {
  const client = clientOf({ way: way === 'lines' ? 'raftline' : way, address });
  await Promise.all(keysOf(size).map(key => client.set(key, textOf(size))));
}

/** Opens callers that share one client, as the requests of a program do; each waits for its promise. */
export async function openPromises(task: Task, answered: Histogram): Promise<Callers> {
  const client = clientOf(task);
  const key = keysOf(task.size)[0] ?? '';
  if (task.op === 'get' && (await client.get(key)) !== textOf(task.size)) {
    throw new Error(`${task.way} does not read ${key} as it was written`);
  }
  return new PromiseCallers(client, task, answered);
}

class PromiseCallers implements Callers {
  readonly #call: (key: string) => Promise<unknown>;
  readonly #keys: readonly string[];
  readonly #callers: number;
  readonly #answered: Histogram;
  #next = 0;
  #isStopped = false;
  readonly #underWay = new Set<Promise<void>>();
  #error: unknown;

  constructor(client: PromiseClient, { op, size, callers, depth }: Task, answered: Histogram) {
    const value = textOf(size);
    this.#call = op === 'get' ? key => client.get(key) : key => client.set(key, value);
    this.#keys = keysOf(size);
    this.#callers = callers * depth;
    this.#answered = answered;
  }

  begin(): void {
    for (let caller = 0; caller < this.#callers; caller += 1) this.#keep(this.#loop());
  }

  send(count: number, due: number): void {
    for (let left = count; left > 0; left -= 1) this.#keep(this.#ask(due));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#underWay);
    if (this.#error !== undefined) throw this.#error;
  }

  async #loop(): Promise<void> {
    while (!this.#isStopped) await this.#ask(performance.now());
  }

  async #ask(due: number): Promise<void> {
    const key = this.#keys[this.#next] ?? '';
    this.#next = (this.#next + 1) % this.#keys.length;
    await this.#call(key);
    this.#answered.add(performance.now() - due, 1);
  }

  #keep(work: Promise<void>): void {
    const kept: Promise<void> = work.then(
      () => void this.#underWay.delete(kept),
      error => {
        this.#error ??= error;
        this.#isStopped = true;
        this.#underWay.delete(kept);
      },
    );
    this.#underWay.add(kept);
  }
}
