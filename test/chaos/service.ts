import { Wire } from './wire.ts';

/** Milliseconds between two probes of each node, and that one of them may take. */
const BETWEEN = 50;
const PROBE_TIMEOUT = 1_000;
/** How often it is looked whether this process itself was held up, in milliseconds. */
const HEARTBEAT = 20;

/** A time in which no change was acknowledged, by anyone to anyone. */
export interface Gap {
  readonly from: number;
  readonly milliseconds: number;
}

/**
 * When the cluster was there for its clients: each node is asked to make a small change all the time, and every
 * change that is acknowledged, to whomever, counts.
 */
export class Service {
  readonly #wires = new Map<string, Wire>();
  readonly #addresses: () => readonly string[];
  readonly #timers: NodeJS.Timeout[] = [];
  #last = performance.now();
  #longest: Gap = { from: 0, milliseconds: 0 };
  #waiting: (() => void)[] = [];
  #beat = performance.now();
  #stalled = 0;
  #isOpen = true;

  constructor(addresses: () => readonly string[]) {
    this.#addresses = addresses;
    this.#timers.push(
      setInterval(() => this.#probe(), BETWEEN),
      setInterval(() => this.#look(), HEARTBEAT),
    );
  }

  /** The longest time without service, until now. */
  get longest(): Gap {
    const since = performance.now() - this.#last;
    return since > this.#longest.milliseconds ? { from: this.#last, milliseconds: since } : this.#longest;
  }

  /** Milliseconds that this process was held up since the beginning: the machine had no time for anyone. */
  get stalled(): number {
    return this.#stalled;
  }

  /** A change was acknowledged. */
  served(): void {
    const now = performance.now();
    if (now - this.#last > this.#longest.milliseconds) {
      this.#longest = { from: this.#last, milliseconds: now - this.#last };
    }
    this.#last = now;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves with the milliseconds until the next change is acknowledged; undefined when patience runs out. */
  async back(patience: number): Promise<number | undefined> {
    const began = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const isLate = new Promise<'late'>(resolve => {
      timer = setTimeout(() => resolve('late'), patience);
    });
    // One that is acknowledged now may have been on its way for long; the second was asked for by then.
    const next = () => new Promise<void>(resolve => this.#waiting.push(resolve));
    const outcome = await Promise.race([next().then(next), isLate]);
    clearTimeout(timer);
    return outcome === 'late' ? undefined : performance.now() - began;
  }

  close(): void {
    this.#isOpen = false;
    for (const timer of this.#timers) clearInterval(timer);
    for (const wire of this.#wires.values()) wire.close();
  }

  #probe(): void {
    for (const address of this.#addresses()) {
      let wire = this.#wires.get(address);
      if (wire === undefined) {
        wire = new Wire(address);
        this.#wires.set(address, wire);
      }
      if (!wire.isBusy) this.#ask(wire, address);
    }
  }

  async #ask(wire: Wire, address: string): Promise<void> {
    const answer = await wire.ask({
      op: 'set',
      key: `/probe/${address}`,
      value: '',
      timeout: PROBE_TIMEOUT,
    });
    if (this.#isOpen && typeof answer !== 'string' && answer.ok) this.served();
  }

  #look(): void {
    const now = performance.now();
    this.#stalled += Math.max(0, now - this.#beat - 2 * HEARTBEAT);
    this.#beat = now;
  }
}
