import { decodeRecord } from '../../src/node/record.ts';
import type { TraceEvent } from './disk-orders.ts';
import type { Verdicts } from './verdicts.ts';

/** The only ids that the audit takes for those of acknowledged changes: the value that the change wrote. */
export type Mark = string;

/** When a change was durable at a node, and when a node acknowledged it. */
export interface Times {
  readonly durable: ReadonlyMap<Mark, number>;
  readonly acknowledged: ReadonlyMap<Mark, number>;
}

/** Something written to a file, by the number of the write in it, and what a sync would have to cover. */
interface Written {
  readonly path: string;
  readonly number: number;
}

/**
 * Goes through what one node did, in order: what it wrote, when a sync of that began and ended, and what it sent.
 * Whatever it promises in what it sends must by then be covered by a sync that began after the write and has ended.
 */
export class Audit {
  readonly #node: string;
  readonly #verdicts: Verdicts;
  readonly #writes = new Map<string, number>();
  readonly #durable = new Map<string, number>();
  readonly #syncs = new Map<number, Written>();
  readonly #entries = new Map<number, Written>();
  readonly #marks = new Map<Mark, Written>();
  readonly #ballots: (Written & { readonly term: number; readonly vote: string | null })[] = [];
  readonly #durableAt = new Map<Mark, number>();
  readonly #acknowledgedAt = new Map<Mark, number>();

  constructor(node: string, verdicts: Verdicts) {
    this.#node = node;
    this.#verdicts = verdicts;
  }

  get times(): Times {
    return { durable: this.#durableAt, acknowledged: this.#acknowledgedAt };
  }

  take(event: TraceEvent): void {
    switch (event.kind) {
      case 'write':
        this.#wrote(event.path, event.text);
        break;
      case 'sync':
        this.#syncs.set(event.call, { path: event.path, number: this.#writes.get(event.path) ?? 0 });
        break;
      case 'synced':
        this.#synced(event.call, event.at);
        break;
      case 'send':
        for (const line of event.text.split('\n')) this.#sent(line, event.at);
    }
  }

  #wrote(path: string, text: string): void {
    const number = (this.#writes.get(path) ?? 0) + 1;
    this.#writes.set(path, number);
    const written = { path, number };
    for (const line of text.split('\n')) {
      const content = decodeRecord(line) as Record<string, unknown> | unknown[] | null | undefined;
      if (Array.isArray(content)) {
        const [index, , command] = content;
        this.#entries.set(Number(index), written);
        const { value } = (command ?? {}) as { value?: unknown };
        if (typeof value === 'string') this.#marks.set(value, written);
      } else if (content != null && 'term' in content && 'vote' in content) {
        const { term, vote } = content as { term: number; vote: string | null };
        this.#ballots.push({ ...written, term, vote });
      }
    }
  }

  #synced(call: number, at: number): void {
    const sync = this.#syncs.get(call);
    if (sync === undefined) return;
    const { path, number } = sync;
    this.#durable.set(path, Math.max(this.#durable.get(path) ?? 0, number));
    for (const [mark, written] of this.#marks) {
      if (!this.#durableAt.has(mark) && this.#isDurable(written)) this.#durableAt.set(mark, at);
    }
  }

  #isDurable({ path, number }: Written): boolean {
    return (this.#durable.get(path) ?? 0) >= number;
  }

  #sent(line: string, at: number): void {
    if (!line.startsWith('{')) return;
    let message: Record<string, unknown>;
    try {
      message = JSON.parse(line);
    } catch {
      return; // a part of a longer line
    }
    const term = Number(message.term);
    if (message.type === 'appended') {
      this.#promised('an append answer leaves after the fsync of its entries', this.#through(message), line);
      this.#promised('an append answer leaves after the fsync of its term', this.#ballotsTo(term), line);
    } else if (message.type === 'vote' && message.granted === true && message.pre === false) {
      const votes = this.#ballots.filter(ballot => ballot.term === term && ballot.vote !== null);
      const words = `${this.#node} granted its vote of term ${term}, and never wrote it`;
      this.#verdicts.check('a vote leaves after its fsync', votes.length > 0, words);
      this.#promised('a vote leaves after its fsync', votes, line);
    } else if (message.ok === true && message.mod !== undefined && typeof message.id === 'string') {
      this.#acknowledgedAt.set(message.id, at);
    }
  }

  #through({ match }: Record<string, unknown>): Written[] {
    return [...this.#entries].filter(([index]) => index <= Number(match)).map(([, written]) => written);
  }

  #ballotsTo(term: number): Written[] {
    return this.#ballots.filter(ballot => ballot.term <= term);
  }

  #promised(name: string, rests: readonly Written[], line: string): void {
    const open = rests.find(written => !this.#isDurable(written));
    this.#verdicts.check(
      name,
      open === undefined,
      `${this.#node} sent ${line} before ${open?.path} was durable`,
    );
  }
}

/**
 * Whether every acknowledgement left after the change was durable on a majority: on the one node there is, or on
 * that many, by their clocks, which may differ by so many milliseconds.
 */
export function checkAcknowledgements(nodes: readonly Times[], verdicts: Verdicts, blur: number): number {
  const majority = Math.floor(nodes.length / 2) + 1;
  let count = 0;
  for (const { acknowledged } of nodes) {
    for (const [mark, at] of acknowledged) {
      count += 1;
      const times = nodes.flatMap(({ durable }) => durable.get(mark) ?? []).sort((a, b) => a - b);
      const durable = times[majority - 1];
      const isSafe = durable !== undefined && durable <= at + blur;
      const words = `${mark} was acknowledged at ${at}; durable at ${times.join(', ') || 'no node'}`;
      verdicts.check('an acknowledgement leaves after the fsync of a majority', isSafe, words);
    }
  }
  return count;
}
