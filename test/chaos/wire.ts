import { connect, type Socket } from 'node:net';
import split2 from 'split2';
import { parseAddress } from '../../src/wire/address.ts';
import type { Reply } from '../shared/line-client.ts';

/** What a request came to: a reply, nothing that anyone will ever know, or certainly nothing, as it was never sent. */
export type Answer = Reply | 'unknown' | 'unsent';

/** Milliseconds beyond what a request grants the node. */
const MARGIN = 1_000;
const PATIENCE = 5_000;

/** A request; under an id of its own it is sent as it is. */
export interface Line {
  readonly op: string;
  readonly id?: string;
  readonly timeout?: number;
  readonly [field: string]: unknown;
}

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * One client's connection to one node, which it dials anew when it is gone. It never sends anything twice: what was
 * on its way when the connection broke, or took too long, is of unknown outcome.
 */
export class Wire {
  readonly #address: string;
  readonly #pending = new Map<unknown, Pending>();
  /** Hears the lines that answer nothing. */
  readonly #onPush: (line: Reply) => void;
  #socket: Socket | undefined;
  #isUp = false;
  #dialling: Promise<boolean> | undefined;
  #lastId = 0;

  constructor(address: string, onPush: (line: Reply) => void = () => {}) {
    this.#address = address;
    this.#onPush = onPush;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Whether a request has no answer yet, or is about to be sent. */
  get isBusy(): boolean {
    return this.#pending.size > 0 || this.#dialling !== undefined;
  }

  /** Sends a request, under its own id or a new one, and resolves with what it came to; never rejects. */
  async ask(request: Line): Promise<Answer> {
    if (!(await this.#dial())) return 'unsent';
    const socket = this.#socket;
    if (socket === undefined) return 'unsent';
    this.#lastId += 1;
    const { id = this.#lastId, timeout = PATIENCE } = request;
    return new Promise(resolve => {
      // A node that says nothing for so long is given up, with all that was asked of it.
      const timer = setTimeout(() => socket.destroy(), timeout + MARGIN);
      this.#pending.set(id, { resolve, timer });
      socket.write(`${JSON.stringify({ ...request, id })}\n`);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #dial(): Promise<boolean> {
    if (this.#isUp) return Promise.resolve(true);
    this.#dialling ??= this.#connect().finally(() => {
      this.#dialling = undefined;
    });
    return this.#dialling;
  }

  #connect(): Promise<boolean> {
    const socket = connect({ ...parseAddress(this.#address), noDelay: true });
    this.#socket = socket;
    return new Promise(resolve => {
      const patience = setTimeout(() => socket.destroy(), MARGIN);
      socket.on('error', () => {});
      socket.on('connect', () => {
        clearTimeout(patience);
        this.#isUp = true;
        resolve(true);
      });
      socket.on('close', () => {
        clearTimeout(patience);
        if (this.#socket === socket) this.#broken();
        resolve(false);
      });
      socket.pipe(split2()).on('data', (line: string) => this.#take(JSON.parse(line) as Reply));
    });
  }

  #take(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) {
      if (reply.id === undefined) this.#onPush(reply);
      return;
    }
    clearTimeout(pending.timer);
    this.#pending.delete(reply.id);
    pending.resolve(reply);
  }

  #broken(): void {
    this.#isUp = false;
    const pendings = [...this.#pending.values()];
    this.#pending.clear();
    for (const { resolve, timer } of pendings) {
      clearTimeout(timer);
      resolve('unknown');
    }
  }
}
