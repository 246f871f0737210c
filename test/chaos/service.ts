import { Wire } from './wire.ts';

/** Milliseconds between two probes of each node, and that one of them may take. */
const BETWEEN = 50;
const PROBE_TIMEOUT = 1_000;
/** Milliseconds without service that are nothing to speak of. */
const MOST_CALM = 500;
/** How often it is looked whether this process itself was held up, in milliseconds. */
const HEARTBEAT = 20;

/**
 * When the cluster was there for its clients: each node is asked to make a small change all the time, and every
 * change that is acknowledged, to whomever, counts.
 */
export class Service {
  readonly #wires = new Map<string, Wire>();
  readonly #addresses: () => readonly string[];
  readonly #timers: NodeJS.Timeout[] = [];
  #last = performance.now();
  #longest = 0;
  #longestOfLap = 0;
  #lapBegan = performance.now();
  /** When the last fault was over, with service back; none while one lasts. */
  #calm: number | undefined = performance.now();
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

  /** Milliseconds of the longest time in which no change was acknowledged, by anyone to anyone. */
  get longest(): number {
    return Math.max(this.#longest, performance.now() - this.#last);
  }

  /** The same since the last lap began, and begins another. */
  lap(): number {
    const now = performance.now();
    const longest = Math.max(this.#longestOfLap, now - Math.max(this.#last, this.#lapBegan));
    this.#lapBegan = now;
    this.#longestOfLap = 0;
    return longest;
  }

  /** Milliseconds that this process was held up since the beginning: the machine had no time for anyone. */
  get stalled(): number {
    return this.#stalled;
  }

  /** Faults begin, or are over and service is back. */
  disturb(isDisturbed: boolean): void {
    this.#calm = isDisturbed ? undefined : performance.now();
  }

  /** Whether nothing stood in the way of anything since then. */
  isCalmSince(time: number): boolean {
    return this.#calm !== undefined && this.#calm < time;
  }

  /** A change was acknowledged. */
  served(): void {
    const now = performance.now();
    if (now - this.#last > MOST_CALM && this.#calm !== undefined) this.#calm = now;
    this.#longest = Math.max(this.#longest, now - this.#last);
    this.#longestOfLap = Math.max(this.#longestOfLap, now - Math.max(this.#last, this.#lapBegan));
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
