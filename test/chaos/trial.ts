import type { Reply } from '../shared/line-client.ts';
import { Random } from '../shared/random.ts';
import type { Client } from './caller.ts';
import { checkHistory, checkInsertions, checkRevisions } from './checks.ts';
import { type ClientOptions, contender, inserter } from './clients.ts';
import { History, resultOf } from './history.ts';
import { Keys } from './keys.ts';
import { Service } from './service.ts';
import type { Line } from './wire.ts';
import type { World } from './world.ts';

const CONTENDERS = 6;
const INSERTERS = 2;
const CONTENDED_KEYS = 4;
/** Milliseconds within which there is service again, and until it is given up. */
const SERVICE_WITHIN = 3_000;
const SERVICE_PATIENCE = 30_000;
/** Milliseconds that nodes have to agree. */
const AGREE_PATIENCE = 20_000;

/** Clients at work on a cluster, whatever happens to it meanwhile, and the judgement of what they saw. */
export class Trial {
  readonly history = new History();
  /** Milliseconds from each healing to service. */
  readonly recoveries: number[] = [];
  readonly #world: World;
  readonly #service: Service;
  readonly #keys = new Keys(CONTENDED_KEYS);
  readonly #clients: readonly Client[];

  private constructor(world: World, seed: number) {
    this.#world = world;
    const addresses = () => world.cluster.addresses;
    this.#service = new Service(addresses);
    const common = (name: string, number: number): ClientOptions => ({
      name,
      addresses,
      dice: new Random(seed + number),
      keys: this.#keys,
      history: this.history,
      service: this.#service,
    });
    this.#clients = [
      ...Array.from({ length: CONTENDERS }, (_, at) => contender(common(`c${at + 1}`, at + 1))),
      ...Array.from({ length: INSERTERS }, (_, at) => inserter(common(`i${at + 1}`, 100 + at))),
    ];
  }

  /** Sends the clients to work, once there is a leader. */
  static async begin(world: World, seed: number): Promise<Trial> {
    await world.cluster.leader(SERVICE_PATIENCE);
    return new Trial(world, seed);
  }

  /** Milliseconds of the longest time in which no change was acknowledged. */
  get longestWithout(): number {
    return this.#service.longest.milliseconds;
  }

  /** Everything is whole again: how long does it take until the cluster serves? */
  async recover(from: string): Promise<void> {
    const before = this.#service.stalled;
    const took = await this.#service.back(SERVICE_PATIENCE);
    if (took !== undefined) this.recoveries.push(Math.round(took));
    // A machine that had no time for us had none for the nodes.
    const stalled = this.#service.stalled - before;
    const words = `after ${from}: ${took === undefined ? 'never' : `${Math.round(took)} ms`}`;
    const isBack = took !== undefined && took <= SERVICE_WITHIN + stalled;
    this.#world.check('service is back within 3 s of each healing', isBack, words);
  }

  /** The clients finish what they have begun. */
  async end(): Promise<void> {
    await Promise.all(this.#clients.map(client => client.stop()));
    this.#service.close();
  }

  /** Looks at what is there, and at what the clients have seen. */
  async judge(): Promise<void> {
    const { verdicts } = this.#world;
    const leader = await this.#world.cluster.leader(SERVICE_PATIENCE);
    const isLed = verdicts.check('there is a leader at the end', leader !== undefined, 'there is none');
    if (isLed) {
      await this.#readAll();
      await checkInsertions(this.history, verdicts, request => this.#ask(request));
      const before = await this.#agree('hashes are equal on all nodes');
      await this.#restartAll();
      const after = await this.#agree('hashes are equal after a restart of all');
      verdicts.check(
        'a restart changes nothing',
        before === after,
        `${before} was the hash, now it is ${after}`,
      );
    }
    checkHistory(this.history, verdicts);
    checkRevisions(this.history, verdicts);
  }

  /** Reads every key once more, so that a change that got lost shows in the history. */
  async #readAll(): Promise<void> {
    for (const key of this.#keys.used) {
      const invoked = this.history.now();
      const answer = (await this.#ask({ op: 'get', key })) ?? 'unknown';
      const action = { op: 'get' } as const;
      const result = resultOf(action, answer);
      this.history.operations.push({
        key,
        client: 'end',
        action,
        invoked,
        returned: this.history.now(),
        result,
      });
    }
  }

  /** Asks the nodes in turn until one can answer. */
  async #ask(request: Line): Promise<Reply | undefined> {
    let answer: Reply | undefined;
    await this.#world.until(async () => {
      for (const id of this.#world.ids) {
        answer = await this.#world.ask(id, request);
        if (answer?.ok === true) return true;
      }
      return false;
    }, SERVICE_PATIENCE);
    return answer;
  }

  /** Waits until every node has applied the same to the same effect; the hash, or undefined. */
  async #agree(name: string): Promise<string | undefined> {
    const world = this.#world;
    let hashes: (Reply | undefined)[] = [];
    const isEqual = await world.until(async () => {
      hashes = await Promise.all(world.ids.map(id => world.ask(id, { op: 'hash' })));
      const [first] = hashes;
      return (
        first !== undefined &&
        hashes.every(reply => reply?.applied === first.applied && reply?.hash === first.hash)
      );
    }, AGREE_PATIENCE);
    const words = hashes
      .map((reply, at) => `${world.ids[at]}: ${reply?.hash} at ${reply?.applied}`)
      .join(', ');
    world.check(name, isEqual, words);
    return isEqual ? String(hashes[0]?.hash) : undefined;
  }

  async #restartAll(): Promise<void> {
    const world = this.#world;
    await Promise.all(world.ids.map(id => world.stopCleanly(id)));
    await world.revive(world.ids);
    await world.cluster.leader(SERVICE_PATIENCE);
  }
}
