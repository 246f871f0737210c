import type { NodeMessage } from '../../src/node/raft-codec.ts';
import type { KeyOp } from '../../src/wire/key-ops.ts';
import type { KeyChange, Request } from '../../src/wire/ops.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import { marked } from './ledger.ts';
import type { SimNode } from './sim-node.ts';
import type { SimWatcher } from './sim-watcher.ts';
import { Violation } from './violation.ts';
import { type Filter, World, type WorldOptions } from './world.ts';

export type DirectorOptions = Pick<WorldOptions, 'size' | 'segmentBytes' | 'limits' | 'trace'>;

/** A request of a scenario, and its answer once there is one. */
export interface Asked {
  outcome: Outcome | undefined;
}

/** Messages that a scenario keeps on their way. */
export interface Held {
  readonly count: () => number;
  readonly some: (test: (message: NodeMessage) => boolean) => boolean;
  /** Lets them arrive, and holds no others. */
  readonly release: () => void;
  /** Lets copies of them arrive: all, or the first so many. */
  readonly repeat: (most?: number) => void;
}

/** Thrown to end a scenario in which something was violated. */
class Over extends Error {}

/** Directs a cluster in fair weather through a schedule written as code: a scenario. */
export class Director {
  readonly world: World;
  #count = 0;
  #bans: Filter[] = [];

  constructor(options: DirectorOptions) {
    this.world = new World({ segmentBytes: 200_000, ...options, seed: 1 });
    this.world.filter = (from, to, message) => this.#bans.every(passes => passes(from, to, message));
  }

  get nodes(): readonly SimNode[] {
    return this.world.nodes;
  }

  node(number: number): SimNode {
    return this.world.node(`n${number}`);
  }

  start(): void {
    for (const node of this.nodes) this.world.start(node);
  }

  /** One more machine, whose node is made a learner of the cluster and gets all that the others have. */
  join(leader: SimNode): SimNode {
    const node = this.world.machines.join();
    this.world.start(node);
    this.add(leader, node);
    return node;
  }

  /** Makes a node that waits a learner, and waits until it has all that the others have. */
  add(leader: SimNode, { id, address }: SimNode): void {
    this.done(
      this.ask(leader, { op: 'add-learner', node: { id, address } }),
      `${id} becomes a learner, which`,
    );
    this.level();
  }

  /** Asks for other voters, whether or not they could be reached. */
  vote(leader: SimNode, voters: readonly SimNode[]): Asked {
    return this.ask(leader, { op: 'change-membership', members: voters.map(({ id }) => id), force: true });
  }

  /** Somebody who watches a prefix at one node, and at another when told to: `at` says at which. */
  watch(prefix: string, at: () => readonly SimNode[]): SimWatcher {
    const watcher = this.world.addWatcher('w', prefix);
    watcher.settle(at);
    return watcher;
  }

  /** Lets time pass. */
  elapse(milliseconds: number): void {
    if (!this.world.run(milliseconds)) throw new Over();
  }

  /** Waits for what has to happen; that it does not is what is violated then. */
  until(condition: () => boolean, what: string, milliseconds = 10_000): void {
    if (this.world.runUntil(condition, milliseconds)) return;
    this.expect(false, `${what} (waited ${milliseconds} ms)`);
  }

  expect(condition: boolean, what: string): void {
    if (!condition) this.world.fail(new Violation('the scenario', what));
    if (this.world.violation !== undefined) throw new Over();
  }

  /** Messages are lost from now on where this says so. */
  lose(isLost: (from: string, to: string, message: NodeMessage) => boolean): void {
    this.#bans.push((from, to, message) => !isLost(from, to, message));
  }

  /** Messages are kept on their way from now on where this says so; returns what lets them arrive. */
  hold(isHeld: (from: string, to: string, message: NodeMessage) => boolean): Held {
    const held: { readonly from: string; readonly to: string; readonly message: NodeMessage }[] = [];
    const ban: Filter = (from, to, message) => {
      if (!isHeld(from, to, message)) return true;
      held.push({ from, to, message });
      return false;
    };
    this.#bans.push(ban);
    const deliver = (some: typeof held) => {
      for (const { from, to, message } of some) {
        const node = this.world.node(to);
        this.world.tell(() => `${to} gets what ${from} sent before: ${message.type}`);
        node.arrive(() => node.onMessage(from, message));
      }
    };
    return {
      count: () => held.length,
      some: test => held.some(({ message }) => test(message)),
      release: () => {
        this.#bans = this.#bans.filter(other => other !== ban);
        deliver(held.splice(0));
      },
      repeat: (most = held.length) => deliver(held.slice(0, most)),
    };
  }

  /** Nothing is lost any more. */
  loseNothing(): void {
    this.#bans = [];
  }

  /** Makes a node the leader: nobody else may ask for votes meanwhile, and the old leader is cut off if need be. */
  elect(node: SimNode): void {
    const bans = [...this.#bans];
    this.lose((from, _to, message) => message.type === 'request-vote' && from !== node.id);
    const old = this.world.leader;
    if (old !== undefined && old !== node) this.lose((from, to) => from === old.id || to === old.id);
    this.until(() => node.raft?.state.role === 'leader', `${node.id} is elected`, 20_000);
    this.#bans = bans;
  }

  /** Makes a node the leader, and waits until it has committed its no-op. */
  establish(node: SimNode): void {
    this.elect(node);
    this.until(() => isEstablished(node), `${node.id} commits its no-op`);
  }

  /** Sends a change to a node. */
  change(node: SimNode, request: KeyChange): Asked {
    this.#count += 1;
    return this.ask(node, { ...request, if: [...(request.if ?? []), marked(`s${this.#count}`)] });
  }

  set(node: SimNode, key: string, value: string): Asked {
    return this.change(node, { op: 'set', key, value });
  }

  transact(node: SimNode, steps: readonly KeyOp[]): Asked {
    this.#count += 1;
    // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
    return this.ask(node, { op: 'txn', if: [marked(`s${this.#count}`)], then: steps });
  }

  /** Opens a session; returns its number. */
  open(node: SimNode, ttl: number): number {
    return this.#granted(node, { op: 'session', ttl }, 'session');
  }

  /** Asks for a lease; returns its number. */
  grant(node: SimNode, ttl: number): number {
    return this.#granted(node, { op: 'grant', ttl }, 'lease');
  }

  #granted(node: SimNode, request: Request, what: string): number {
    const asked = this.ask(node, request);
    this.done(asked, `a ${what}`);
    return asked.outcome?.ok === true ? Number(asked.outcome[what]) : 0;
  }

  ask(node: SimNode, request: Request): Asked {
    const asked: Asked = { outcome: undefined };
    this.world.ask(node, request, outcome => {
      asked.outcome = outcome;
    });
    return asked;
  }

  /** Waits for an answer that says that it was refused, and with which code. */
  refused(asked: Asked, code: string, what: string): void {
    this.until(() => asked.outcome !== undefined, `${what} is answered`);
    const { outcome } = asked;
    const isSo = outcome?.ok === false && outcome.error.code === code;
    this.expect(isSo, `${what} is refused with ${code}, not ${JSON.stringify(outcome)}`);
  }

  /** Waits for an answer that says that it was done. */
  done(asked: Asked, what: string): void {
    this.until(() => asked.outcome !== undefined, `${what} is answered`);
    this.expect(asked.outcome?.ok === true, `${what} is done, not ${JSON.stringify(asked.outcome)}`);
  }

  cut(from: SimNode, to: SimNode): void {
    this.world.road(from.id, to.id).cut(false);
  }

  /** Cuts a node off from all others. */
  isolate(node: SimNode): void {
    for (const other of this.nodes) {
      if (other === node) continue;
      this.cut(node, other);
      this.cut(other, node);
    }
  }

  mend(): void {
    this.loseNothing();
    for (const road of this.world.machines.network.roads) road.mend();
  }

  level(): void {
    this.until(() => this.world.isLevel, 'all members are level', 20_000);
  }

  /** Mends everything, starts everyone, and waits for the nodes to be equal. */
  recover(): void {
    this.mend();
    for (const node of this.nodes) {
      node.disk.unstall();
      node.process?.loop.resume();
      this.world.start(node);
    }
    this.level();
    this.world.finalChecks();
    this.expect(true, 'nothing was violated');
  }
}

/** Whether a node leads and knows all that was committed before. */
function isEstablished({ raft }: SimNode): boolean {
  return (
    raft?.state.role === 'leader' && raft.state.commit >= raft.state.leadsFrom && raft.state.leadsFrom > 0
  );
}

/** Plays a scenario to its end; returns what was violated in it. */
export function play(director: Director, scenario: (director: Director) => void): Violation | undefined {
  try {
    scenario(director);
  } catch (error) {
    if (!(error instanceof Over)) throw error;
  }
  return director.world.violation;
}
