import { type Address, formatAddress, parseAddress } from '../src/wire/address.ts';
import { refuse } from '../src/wire/errors.ts';

/** Milliseconds: the first pause's upper bound, and what it grows to, doubling. */
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 1_000;

/**
 * A pause before the nth try again: anything from nothing to a bound that doubles each time. The whole range, so that
 * clients who lost the same node at the same moment do not come back at the same moment.
 */
export function pause(nth: number, longest = LONGEST_PAUSE): number {
  return Math.random() * Math.min(longest, FIRST_PAUSE * 2 ** Math.min(nth - 1, 10));
}

/** Reads addresses given as one text with commas, or as a list of such texts; each address once, in their order. */
export function parseAddresses(given: string | readonly string[]): Address[] {
  const texts = (typeof given === 'string' ? [given] : given).flatMap(text => text.split(','));
  const addresses = new Map<string, Address>();
  for (const text of texts) {
    if (text.trim() === '') continue;
    const address = parseAddress(text);
    if (address.port === 0) refuse('BAD_REQUEST', `${text.trim()} has port 0, where nothing can be reached`);
    addresses.set(formatAddress(address), address);
  }
  if (addresses.size === 0) refuse('BAD_REQUEST', 'no address is given; one looks like 127.0.0.1:7001');
  return [...addresses.values()];
}

/** Whom to dial next, when, and why those before did not answer. */
export class Roster {
  readonly #addresses: readonly Address[];
  #at = 0;
  /** The leader that a node named, where it is not one of ours. */
  #hint: Address | undefined;
  /** Failures in a row, since a node last answered. */
  #failures = 0;
  readonly #reasons = new Map<string, string>();

  constructor(addresses: readonly Address[]) {
    this.#addresses = addresses;
  }

  get next(): Address {
    const address = this.#hint ?? this.#addresses[this.#at];
    if (address === undefined) throw new Error('a roster without addresses');
    return address;
  }

  get nextName(): string {
    return formatAddress(this.next);
  }

  /** True when there is nowhere else to go. */
  get isAlone(): boolean {
    return this.#addresses.length === 1;
  }

  /** True once every address has failed, one after the other. */
  get isExhausted(): boolean {
    return this.#failures >= this.#addresses.length;
  }

  /** Milliseconds to wait before the next dial: none within a round of the addresses, then longer and longer. */
  pause(): number {
    const rounds = Math.floor(this.#failures / this.#addresses.length);
    return rounds === 0 ? 0 : pause(rounds);
  }

  /** Turns to the next address. */
  advance(): void {
    if (this.#hint === undefined) this.#at = (this.#at + 1) % this.#addresses.length;
    this.#hint = undefined;
  }

  /** Turns to the leader that a node named, in any of the spellings of an address. */
  prefer(text: string): void {
    let address: Address;
    try {
      address = parseAddress(text);
    } catch {
      this.advance();
      return;
    }
    const name = formatAddress(address);
    const at = this.#addresses.findIndex(known => formatAddress(known) === name);
    if (at === -1) this.#hint = address;
    else this.#at = at;
  }

  failed(name: string, why: string): void {
    if (this.#hint === undefined) this.#failures += 1;
    this.#reasons.set(name, why);
    this.advance();
  }

  /** A node took a request and has yet to answer: it may wait for a leader, so it is asked again in its turn. */
  silent(name: string, why: string): void {
    this.#failures = 0;
    this.#reasons.set(name, why);
    this.advance();
  }

  answered(): void {
    this.#failures = 0;
    if (this.#reasons.size > 0) this.#reasons.clear();
  }

  /** Forgets the failures, so that the next request begins a round of its own. */
  forgive(): void {
    this.#failures = 0;
  }

  /** Every address and why it did not answer, on one line. */
  describe(): string {
    const names = new Set([...this.#addresses.map(formatAddress), ...this.#reasons.keys()]);
    return [...names].map(name => `${name} ${this.#reasons.get(name) ?? 'was not tried in time'}`).join(', ');
  }
}

/** Why a connection failed, in words that follow an address. */
export function reasonOf(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'refused the connection',
    ECONNRESET: 'reset the connection',
    EPIPE: 'closed the connection',
    ENOTFOUND: 'is not a known host',
    EAI_AGAIN: 'could not be looked up',
    ETIMEDOUT: 'did not answer',
    EHOSTUNREACH: 'cannot be reached',
    ENETUNREACH: 'is on a network that cannot be reached',
  };
  const known = words[code];
  return known === undefined ? `failed: ${error.message}` : `${known} (${code})`;
}
