import type { KeyOp } from '../../src/wire/key-ops.ts';
import type { ChangeRequest, Request, RequestOf } from '../../src/wire/ops.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import type { Dice } from './dice.ts';
import { MS } from './event-loop.ts';
import { marked } from './ledger.ts';

/** A lease that an application holds, and until when it means to. */
interface Held {
  readonly ttl: number;
  readonly until: number;
  renewAt: number;
}

const TIMEOUTS = [300, 1_000, 3_000];
/** Keys that transactions have to themselves: a transaction is about several. */
const TXN_KEYS = ['/t/1', '/t/2', '/t/3', '/t/4'];

/** What an application asks for: changes of one key, transactions, and leases with their keys. */
export class AppRequests {
  readonly #name: string;
  readonly #dice: Dice;
  readonly #keys: readonly string[];
  readonly #leases = new Map<number, Held>();
  #count = 0;

  constructor(name: string, dice: Dice, keys: readonly string[]) {
    this.#name = name;
    this.#dice = dice;
    this.#keys = keys;
  }

  read(): Request {
    const dice = this.#dice;
    const read = dice.chance(0.3) ? ({ read: 'stale' } as const) : {};
    const timeout = dice.pick(TIMEOUTS);
    if (dice.chance(0.5)) return { op: 'get', key: dice.pick(TXN_KEYS), timeout, ...read };
    return { op: 'list', prefix: dice.pick(['/t/', '/l/']), timeout, ...read };
  }

  /** The next change; leases come first, when it is time to renew them. */
  change(now: number): ChangeRequest {
    const dice = this.#dice;
    const timeout = dice.pick(TIMEOUTS);
    for (const [lease, held] of this.#leases) {
      if (now > held.until) this.#leases.delete(lease);
      else if (now > held.renewAt) {
        held.renewAt = now + (held.ttl * 1_000 * MS) / 2;
        return { op: 'renew', lease, timeout };
      }
    }
    const kind = dice.next();
    if (kind < 0.35) return this.#ofKey(timeout);
    if (kind < 0.65) return this.#transaction(timeout);
    if (kind < 0.78) return { op: 'grant', ttl: dice.between(1, 4), timeout };
    if (kind < 0.82) return { op: 'revoke', lease: this.#lease(), timeout };
    const key = `/l/${this.#name}/${dice.below(5)}`;
    return { op: 'set', key, value: this.#value(), lease: this.#lease(), timeout };
  }

  /** Takes note of the leases that it was granted. */
  learn(request: ChangeRequest, outcome: Outcome, now: number): void {
    if (request.op !== 'grant' || !outcome.ok) return;
    const ttl = Number(outcome.ttl);
    const until = now + this.#dice.between(1, 12) * 1_000 * MS;
    this.#leases.set(Number(outcome.lease), { ttl, until, renewAt: now + (ttl * 1_000 * MS) / 2 });
  }

  /** The transaction with a mark by which it is known without a session. */
  marked(request: RequestOf<'txn'>): RequestOf<'txn'> {
    this.#count += 1;
    return { ...request, if: [...(request.if ?? []), marked(`${this.#name}.${this.#count}`)] };
  }

  /** One of the leases that it holds; now and then one of others, or one that is none. */
  #lease(): number {
    const dice = this.#dice;
    const own = [...this.#leases.keys()];
    return own.length === 0 || dice.chance(0.1) ? dice.between(1, 40) : dice.pick(own);
  }

  #value(): string {
    this.#count += 1;
    return `${this.#name} ${this.#count} ${'y'.repeat(this.#dice.below(30))}`;
  }

  #ofKey(timeout: number): ChangeRequest {
    const dice = this.#dice;
    const key = dice.pick(this.#keys);
    const condition = dice.chance(0.2) ? { if: [{ absent: true }] as const } : {};
    if (dice.chance(0.2)) return { op: 'remove', key, timeout, ...condition };
    return { op: 'set', key, value: this.#value(), timeout, ...condition };
  }

  #transaction(timeout: number): RequestOf<'txn'> {
    const dice = this.#dice;
    const steps = (most: number) => Array.from({ length: dice.between(1, most) }, () => this.#step());
    const condition = () => {
      const key = dice.pick(TXN_KEYS);
      return dice.chance(0.6) ? ({ key, exists: true } as const) : ({ key, absent: true } as const);
    };
    const conditions = dice.chance(0.6) ? { if: [condition()] } : {};
    // biome-ignore lint/suspicious/noThenProperty: a field of the protocol
    return { op: 'txn', ...conditions, then: steps(5), else: steps(2), timeout };
  }

  #step(): KeyOp {
    const dice = this.#dice;
    const key = dice.pick(TXN_KEYS);
    const kind = dice.next();
    if (kind < 0.15) return { op: 'get', key };
    if (kind < 0.3) return { op: 'remove', key };
    if (kind < 0.35) return { op: 'remove', prefix: '/t/' };
    const value = this.#value();
    // Some fail in the middle, and then nothing of the whole may have happened.
    if (kind < 0.42) return { op: 'set', key, value, if: [{ absent: true }] };
    if (kind < 0.5) return { op: 'set', key, value, lease: this.#lease() };
    return dice.chance(0.2) ? { op: 'set', key, value, prev: true } : { op: 'set', key, value };
  }
}
