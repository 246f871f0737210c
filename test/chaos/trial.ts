import { join } from 'node:path';
import type { Reply } from '../shared/line-client.ts';
import { Random } from '../shared/random.ts';
import { longestWait, waitsOf } from './busy.ts';
import { type Client, pause } from './caller.ts';
import {
  checkAgreement,
  checkHistory,
  checkInsertions,
  checkOutcomes,
  checkRevisions,
  checkTold,
} from './checks.ts';
import { type ClientOptions, contender, inserter } from './clients.ts';
import { History, resultOf, saveLines } from './history.ts';
import { Keys } from './keys.ts';
import { lessee } from './lessee.ts';
import { onlooker } from './onlooker.ts';
import { repeater } from './repeater.ts';
import { Service } from './service.ts';
import { Watcher } from './watcher.ts';
import type { Line } from './wire.ts';
import type { World } from './world.ts';

const CONTENDERS = 6;
const INSERTERS = 2;
const REPEATERS = 2;
const LESSEES = 3;
const WATCHERS = 3;
const CONTENDED_KEYS = 4;
/** Milliseconds of calm at the end, in which leases have to end in time. */
const CALM = 5_000;
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
  #braced: () => number = () => 0;

  readonly #watchers: readonly Watcher[];
  readonly #hasLeases: boolean;

  /** `ops`: what the nodes can be asked. */
  private constructor(world: World, seed: number, ops: readonly string[]) {
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
      verdicts: world.verdicts,
    });
    const several = <T>(count: number, letter: string, make: (options: ClientOptions) => T): T[] =>
      Array.from({ length: count }, (_, at) =>
        make(common(`${letter}${at + 1}`, 100 * letter.charCodeAt(0) + at)),
      );
    const where = (op: string, count: number) => (ops.includes(op) ? count : 0);
    this.#clients = [
      ...several(CONTENDERS, 'c', contender),
      ...several(INSERTERS, 'i', inserter),
      ...several(where('session', REPEATERS), 'r', repeater),
      ...several(where('grant', LESSEES), 'l', lessee),
      ...addresses().map((address, at) => onlooker(common(`o${at + 1}`, at), address)),
    ];
    this.#hasLeases = ops.includes('grant');
    this.#watchers = several(where('watch', WATCHERS), 'w', options => new Watcher(options));
  }

  /** Sends the clients to work, once there is a leader. */
  static async begin(world: World, seed: number): Promise<Trial> {
    await world.cluster.leader(SERVICE_PATIENCE);
    const hello = await world.ask(world.ids[0] ?? '', { op: 'hello' });
    return new Trial(world, seed, hello?.ops ?? []);
  }

  /** Milliseconds of the longest time in which no change was acknowledged. */
  get longestWithout(): number {
    return this.#service.longest;
  }

  /** Something begins that a majority is left by. */
  brace(): void {
    this.#service.lap();
    this.#braced = this.#lost();
  }

  /** It is over: service must have gone on, save for the time that it takes to replace a leader. */
  bore(what: string): void {
    const without = this.#service.lap();
    const lost = this.#braced();
    const words = `${what}: ${Math.round(without)} ms without${excuse(lost)}`;
    const isBack = without <= SERVICE_WITHIN + lost;
    this.#world.check('service is back within 3 s while a majority is left', isBack, words);
  }

  /** What tells how many milliseconds from now on went by because the machine had no time for the nodes, or for us. */
  #lost(): () => number {
    const stalled = this.#service.stalled;
    const before = waitsOf(this.#world.cluster.nodes);
    return () => {
      const waited = longestWait(before, waitsOf(this.#world.cluster.nodes));
      return Math.max(waited, this.#service.stalled - stalled);
    };
  }

  /** Something is about to happen to the cluster. */
  disturb(): void {
    this.#service.disturb(true);
  }

  /** Everything is whole again: how long does it take until the cluster serves? */
  async recover(from: string): Promise<void> {
    const lostOf = this.#lost();
    const took = await this.#service.back(SERVICE_PATIENCE);
    if (took !== undefined) this.recoveries.push(Math.round(took));
    const lost = lostOf();
    const words = `after ${from}: ${took === undefined ? 'never' : `${Math.round(took)} ms`}${excuse(lost)}`;
    const isBack = took !== undefined && took <= SERVICE_WITHIN + lost;
    this.#world.check('service is back within 3 s of each healing', isBack, words);
    this.#service.disturb(false);
  }

  /** The clients finish what they have begun, and the watchers hear of it. */
  async end(): Promise<void> {
    if (this.#hasLeases) await pause(CALM);
    await Promise.all(this.#clients.map(client => client.stop()));
    this.#service.close();
    const { rev = 0 } = (await this.#ask({ op: 'get', key: '/last' })) ?? {};
    for (const watcher of this.#watchers) {
      const hasHeard = await watcher.hears(rev);
      const words = `${watcher.name} is at ${watcher.range[1]} of ${rev}`;
      this.#world.check('a watch hears of the last change', hasHeard, words);
    }
    await Promise.all(this.#watchers.map(watcher => watcher.stop()));
  }

  /** Looks at what is there, and at what the clients have seen. */
  async judge(): Promise<void> {
    const { verdicts, cluster } = this.#world;
    for (const { id, state } of cluster.nodes) {
      verdicts.check('no node ends of itself', state === 'running', `${id} is ${state} at the end`);
    }
    const leader = await this.#world.cluster.leader(SERVICE_PATIENCE);
    const isLed = verdicts.check('there is a leader at the end', leader !== undefined, 'there is none');
    if (isLed) {
      if (this.#hasLeases) await this.#leasesEnd();
      for (const id of this.#world.ids) {
        if (await this.#readAll(id))
          await checkInsertions(this.history, verdicts, id, request => this.#ask(request, [id]));
      }
      const before = await this.#agree('hashes are equal on all nodes');
      await this.#restartAll();
      const after = await this.#agree('hashes are equal after a restart of all');
      verdicts.check(
        'a restart changes nothing',
        before === after,
        `${before} was the hash, now it is ${after}`,
      );
    }
    const [first] = this.#watchers;
    for (const watcher of this.#watchers) {
      checkTold(this.history, verdicts, watcher);
      if (first !== undefined && watcher !== first) checkAgreement(first, watcher, verdicts);
    }
    checkOutcomes(this.history, verdicts);
    checkHistory(this.history, verdicts);
    checkRevisions(this.history, verdicts);
  }

  /** Writes what the clients saw, and what each watcher was told, to files of a folder. */
  save(folder: string): void {
    this.history.save(folder);
    for (const { name, told } of this.#watchers) {
      const lines = [...told].map(([rev, changes]) => ({ rev, changes: [...changes] }));
      saveLines(join(folder, `${name}.ndjson`), lines);
    }
  }

  /** Waits until nothing is left that would end by itself. */
  async #leasesEnd(): Promise<void> {
    const hasEnded = await this.#world.until(async () => {
      const answer = await this.#ask({ op: 'leases' });
      return answer?.leases?.length === 0;
    }, SERVICE_PATIENCE);
    this.#world.check(
      'every lease comes to its end',
      hasEnded,
      `some are there after ${SERVICE_PATIENCE} ms`,
    );
  }

  /**
   * Reads every key once more, as a node has it, so that a change that got lost there shows in the history; false when
   * the node does not answer.
   */
  async #readAll(id: string): Promise<boolean> {
    for (const key of this.#keys.used) {
      const invoked = this.history.now();
      const answer = await this.#ask({ op: 'get', key }, [id]);
      const words = `${id}: ${JSON.stringify(answer)}`;
      const isRead = this.#world.check('the store can be read at the end', answer?.ok === true, words);
      if (!isRead || answer === undefined) return false;
      const action = { op: 'get' } as const;
      const result = resultOf(action, answer);
      this.history.operations.push({
        key,
        client: `end, at ${id}`,
        action,
        invoked,
        returned: this.history.now(),
        result,
      });
    }
    return true;
  }

  /** Asks these nodes in turn until one can answer. */
  async #ask(request: Line, ids = this.#world.ids): Promise<Reply | undefined> {
    let answer: Reply | undefined;
    await this.#world.until(async () => {
      for (const id of ids) {
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

/** In words, that the machine was busy, where it was. */
function excuse(lost: number): string {
  return lost < 100 ? '' : `, of which a node waited ${Math.round(lost)} ms for a processor`;
}
