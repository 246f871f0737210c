import { connect, type Socket } from 'node:net';
import split2 from 'split2';
import { parseAddress } from '../../src/wire/address.ts';
import type { Reply } from '../shared/line-client.ts';

/** What a request came to: a reply, nothing that anyone will ever know, or certainly nothing, as it was never sent. */
export type Answer = Reply | 'unknown' | 'unsent';

/** Milliseconds beyond what a request grants the node. */
const MARGIN = 1_000;
const PATIENCE = 5_000;

/** The code of what stands for a line from a node that is no JSON object. */
export const GARBLED = 'GARBLED';

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
      // What lacks its end when the node ends is no line.
      socket.pipe(split2(), { end: false }).on('data', (line: string) => this.#take(line));
    });
  }

  #take(line: string): void {
    const reply = replyIn(line);
    if (reply.error?.code === GARBLED) {
      // What it answers nobody can tell, so all that was asked is answered with it.
      if (this.#pending.size === 0) this.#onPush(reply);
      for (const id of [...this.#pending.keys()]) this.#answer(id, { ...reply, id });
      this.#socket?.destroy();
    } else this.#answer(reply.id, reply);
  }

  #answer(id: unknown, reply: Reply): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) {
      if (id === undefined) this.#onPush(reply);
      return;
    }
    clearTimeout(pending.timer);
    this.#pending.delete(id);
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

/** The reply that a line from a node is, or one that says that it is none. */
export function replyIn(line: string): Reply {
  try {
    const reply: unknown = JSON.parse(line);
    if (typeof reply === 'object' && reply !== null) return reply as Reply;
  } catch {
    // told below
  }
  return { ok: false, error: { code: GARBLED, message: line.slice(0, 200), definite: false, retry: false } };
}
