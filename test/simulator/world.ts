import type { HistoryBounds } from '../../src/kv/history.ts';
import type { CompactionLimits } from '../../src/node/compaction.ts';
import { codeOf } from '../../src/node/file-system.ts';
import type { NodeMessage } from '../../src/node/raft-codec.ts';
import type { Request } from '../../src/wire/ops.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import { Answers } from './answers.ts';
import { AppClient } from './app-client.ts';
import type { Surroundings } from './attempt.ts';
import { Dice } from './dice.ts';
import { MS } from './event-loop.ts';
import { History, type Tally } from './history.ts';
import { Invariants } from './invariants.ts';
import { Ledger } from './ledger.ts';
import { Machines } from './machines.ts';
import { Promises } from './promises.ts';
import { checkState } from './same-state.ts';
import { type Habits, SimClient, type SimClientOptions } from './sim-client.ts';
import type { NodeEvents, SimNode } from './sim-node.ts';
import type { SimRoad } from './sim-road.ts';
import { SimWatcher } from './sim-watcher.ts';
import { Timeline } from './timeline.ts';
import { messageOf, thrownAt, Violation } from './violation.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly size: number;
  /** Each node's clock runs wrong by up to this fraction. */
  readonly drift?: number;
  readonly isHaunted?: boolean;
  readonly segmentBytes?: number;
  readonly ballotBytes?: number;
  /** When logs are compacted; hardly ever unless told. */
  readonly limits?: CompactionLimits | undefined;
  /** How much of the past nodes keep for those who watch; all of it unless told. */
  readonly history?: HistoryBounds | undefined;
  /** Gets every line of the trace, as it is made. */
  readonly trace?: ((line: string) => void) | undefined;
}

/** Callbacks of all nodes in one history; the busiest storms need a tenth. */
const MOST_TURNS = 2_000_000;

/** Decides whether a message arrives. */
export type Filter = (from: string, to: string, message: NodeMessage) => boolean;

/**
 * A cluster with everything around it: whole nodes of the production code, and their disks, network, clocks and
 * clients, which are simulated. One seed makes one history. Whatever must always hold is checked as it runs.
 */
export class World {
  readonly timeline = new Timeline();
  readonly dice: Dice;
  readonly machines: Machines;
  readonly ledger: Ledger;
  readonly answers: Answers;
  readonly invariants: Invariants;
  readonly history = new History();
  readonly tally: Tally = { done: 0, conflict: 0, unknown: 0, refused: 0, stale: 0 };
  /** Callbacks that the nodes have run. */
  turns = 0;
  /** At the end: steps that the checker of histories took to find an order that explains what all clients saw. */
  searched = 0;
  /** Messages that arrive only when this says so. */
  filter: Filter = () => true;
  /** A node whose disk failed; it ends as soon as its callback has. */
  onFatal: (node: SimNode, error: Error) => void = (node, error) => {
    this.fail(new Violation('no disk fails unasked', `${node.id}: ${error.message}`));
  };
  readonly #promises: Promises;
  #violation: Violation | undefined;
  readonly watchers: SimWatcher[] = [];
  readonly #clients: (SimClient | AppClient)[] = [];
  readonly #trace: ((line: string) => void) | undefined;

  constructor({
    seed,
    size,
    drift = 0,
    isHaunted = false,
    segmentBytes,
    ballotBytes,
    limits,
    history,
    trace,
  }: WorldOptions) {
    this.dice = new Dice(seed);
    this.ledger = new Ledger({ now: () => this.timeline.now, fastest: 1 + drift });
    this.answers = new Answers(this.ledger);
    this.#trace = trace;
    this.machines = new Machines({
      timeline: this.timeline,
      dice: this.dice.fork(),
      drift,
      isHaunted,
      segmentBytes: segmentBytes ?? 16_384,
      ballotBytes: ballotBytes ?? 512,
      limits,
      history,
      onSend: (from, to, message) => this.#sends(from, to, message),
      onArrival: (from, to, message) => this.#arrives(from, to, message),
      events: this.#events,
    });
    this.machines.found(size);
    this.invariants = new Invariants(this.ledger, this.nodes);
    this.#promises = new Promises(id => this.nodes.find(node => node.id === id), this.ledger);
  }

  get nodes(): readonly SimNode[] {
    return this.machines.nodes;
  }

  get violation(): Violation | undefined {
    return this.#violation;
  }

  /** Seconds that have passed. */
  get seconds(): number {
    return this.timeline.now / 1_000_000;
  }

  node(id: string): SimNode {
    return this.machines.node(id);
  }

  /** The way from one machine to another. */
  road(from: string, to: string): SimRoad {
    return this.machines.network.road(from, to);
  }

  /** The running node that leads the latest term that anyone leads. */
  get leader(): SimNode | undefined {
    const leaders = this.nodes.filter(node => node.raft?.state.role === 'leader');
    return leaders.sort((a, b) => (b.raft?.state.term ?? 0) - (a.raft?.state.term ?? 0))[0];
  }

  /** Whether there is a leader, and everything in its log is committed and applied everywhere. */
  get isLevel(): boolean {
    const { last } = this.ledger;
    if (this.leader?.raft?.state.log.last.index !== last) return false;
    return this.members.every(
      ({ raft }) => raft?.state.handed === last && raft.state.log.last.index === last,
    );
  }

  /** The members that there still are, by what is committed. */
  get members(): readonly SimNode[] {
    const { nodes } = this.invariants.configuration;
    return this.nodes.filter(({ id, isGone, isLost }) => !isGone && !isLost && Object.hasOwn(nodes, id));
  }

  /** How it stands, in words. */
  get description(): string {
    const states = this.nodes.map(({ id, raft, isGone, isLost, isRunning }) => {
      if (isGone || isLost) return `${id} is ${isGone ? 'gone' : 'another'}`;
      if (raft === undefined) return `${id} ${isRunning ? 'waits' : 'is down'}`;
      const { role, term, commit, log, handed } = raft.state;
      return `${id} ${role} of term ${term}, log to ${log.last.index}, committed ${commit}, applied ${handed}`;
    });
    const { rev } = this.ledger.model;
    const behind = this.watchers.filter(({ isLevel }) => !isLevel).map(watcher => watcher.description);
    const watchers = behind.length === 0 ? '' : `; at revision ${rev}: ${behind.join(', ')}`;
    const members = JSON.stringify(this.invariants.configuration);
    return `after ${this.seconds.toFixed(1)} s, ${this.ledger.last} committed, ${members}: ${states.join('; ')}${watchers}`;
  }

  /** Lets time pass; false when something was violated. */
  run(milliseconds: number): boolean {
    const until = this.timeline.now + milliseconds * MS;
    while (this.#violation === undefined && this.#step(until)) this.#checkTurns();
    return this.#violation === undefined;
  }

  /** Lets time pass until a condition holds; false when it does not in time. */
  runUntil(condition: () => boolean, milliseconds: number): boolean {
    const until = this.timeline.now + milliseconds * MS;
    while (this.#violation === undefined) {
      if (condition()) return true;
      if (!this.#step(until)) return condition();
      this.#checkTurns();
    }
    return false;
  }

  /** What throws outside of every node is a fault of the simulator: it is found in this run, as one of a node is. */
  #step(until: number): boolean {
    try {
      return this.timeline.step(until);
    } catch (error) {
      this.fail(thrownAt('the simulator', error));
      return false;
    }
  }

  /** Nodes that keep each other busy for nothing would keep time from passing. */
  #checkTurns(): void {
    if (this.turns > MOST_TURNS)
      this.fail(new Violation('nobody turns for nothing', `${this.turns} callbacks`));
  }

  start(node: SimNode): void {
    if (node.isRunning || node.isGone) return;
    this.tell(() => `${node.id} starts`);
    this.machines.network.leave(node);
    try {
      node.start();
    } catch (error) {
      if (codeOf(error) === 'EIO' || codeOf(error) === 'ENOSPC') this.onFatal(node, error as Error);
      else this.fail(new Violation('a node opens what it has left', `${node.id}: ${messageOf(error)}`));
    }
  }

  /** Ends a process; the others notice at once, as its sockets are closed for it. */
  kill(node: SimNode): void {
    if (!node.isRunning) return;
    this.tell(() => `${node.id} is killed`);
    node.kill();
    this.machines.network.leave(node);
  }

  /** Ends a machine: what it has not synced may be lost, and the others only hear nothing any more. */
  losePower(node: SimNode): void {
    this.tell(() => `${node.id} loses power`);
    node.losePower();
  }

  /** Takes a machine away for good. */
  turnOff(node: SimNode): void {
    this.tell(() => `${node.id} is turned off for good`);
    node.losePower();
    node.isGone = true;
  }

  /** A machine loses its disk, and its node starts again under its id with nothing. */
  wipe(node: SimNode): void {
    this.tell(() => `${node.id} loses its disk`);
    this.kill(node);
    node.wipe();
    this.start(node);
  }

  pause(node: SimNode, milliseconds: number): void {
    const { process } = node;
    if (process === undefined || process.loop.isPaused) return;
    this.tell(() => `${node.id} is paused for ${milliseconds} ms`);
    process.loop.pause();
    this.timeline.after(milliseconds * MS, () => {
      this.tell(() => `${node.id} goes on`);
      process.loop.resume();
    });
  }

  addClient(name: string, habits: Habits): void {
    this.#clients.push(new SimClient(this.#clientOptions(name, habits)));
  }

  /** A client that keeps a session, holds leases, and makes transactions. */
  addApplication(name: string, habits: Habits): void {
    this.#clients.push(new AppClient(this.#clientOptions(name, habits)));
  }

  addWatcher(name: string, prefix: string): SimWatcher {
    const { ledger } = this;
    const watcher = new SimWatcher({ ...this.#surroundings(), name, prefix, ledger });
    this.watchers.push(watcher);
    return watcher;
  }

  #clientOptions(name: string, habits: Habits): SimClientOptions {
    const { history, tally } = this;
    return { ...this.#surroundings(), history, tally, name, ...habits };
  }

  #surroundings(): Surroundings {
    const { timeline, nodes, answers } = this;
    const guard = (checks: () => void) => this.#guard(checks);
    const trace = (text: () => string) => this.tell(text);
    return { timeline, nodes, answers, guard, trace, dice: this.dice.fork() };
  }

  stopClients(): void {
    for (const client of this.#clients) client.stop();
  }

  finishClients(): void {
    for (const client of this.#clients) client.finish();
  }

  /** Sends one request to a node and hands on the answer, judged. */
  ask(node: SimNode, request: Request, answer: (outcome: Outcome) => void = () => {}): void {
    const { floor } = this.answers;
    node.request(request, outcome => {
      this.tell(() => `${node.id} answers ${request.op}: ${JSON.stringify(outcome)}`);
      this.#guard(() => this.answers.show(this.answers.judge(node.id, request, outcome, floor)));
      answer(outcome);
    });
  }

  /** What must hold when a run is over. */
  finalChecks(): void {
    this.#guard(() => {
      this.invariants.checkAllDurable();
      for (const node of this.nodes) checkState(node, this.ledger);
      this.searched = this.history.check(this.ledger);
    });
  }

  /** Adds a line to the trace. */
  tell(text: () => string): void {
    this.#trace?.(`${this.seconds.toFixed(6).padStart(10)} ${text()}`);
  }

  fail(violation: Violation): void {
    if (this.#violation !== undefined) return;
    this.#violation = violation;
    this.tell(() => `VIOLATED: ${violation.message}`);
  }

  #guard(checks: () => void): void {
    if (this.#violation !== undefined) return;
    try {
      checks();
    } catch (error) {
      this.fail(error instanceof Violation ? error : thrownAt('a check', error));
    }
  }

  readonly #events: NodeEvents = {
    onBegin: node => this.#guard(() => this.invariants.check(node)),
    onRan: node => {
      this.turns += 1;
      this.#guard(() => this.invariants.check(node));
    },
    onThrow: (node, error) => {
      // What nobody catches ends a process.
      if (codeOf(error) === 'EIO') this.onFatal(node, error as Error);
      else this.fail(thrownAt(node.id, error));
    },
    onFatal: (node, error) => {
      this.tell(() => `${node.id} cannot go on: ${error.message}`);
      this.onFatal(node, error);
    },
    onDurable: node =>
      this.tell(() => `${node.id} has on disk: term ${node.durable.term}, log to ${node.durable.last}`),
  };

  #sends(from: string, to: string, message: NodeMessage): void {
    this.#guard(() => this.#promises.judge(this.node(from), to, message));
    this.tell(() => `${from} -> ${to} ${describe(message)}`);
  }

  #arrives(from: string, to: string, message: NodeMessage): boolean {
    if (!this.filter(from, to, message)) return false;
    this.tell(() => `${to} <- ${from} ${describe(message)}`);
    return true;
  }
}

function describe(message: NodeMessage): string {
  if (message.type !== 'append') return JSON.stringify(message);
  const { entries, stored: _, ...head } = message;
  return `${JSON.stringify(head)} + ${entries.length} entries`;
}
