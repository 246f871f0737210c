import type { Dice } from './dice.ts';
import { type LinkEnd, type LinkOptions, SimLink } from './sim-link.ts';
import type { Timeline } from './timeline.ts';

export interface NetworkOptions {
  readonly timeline: Timeline;
  readonly dice: Dice;
  readonly ends: readonly LinkEnd[];
  readonly onArrival: LinkOptions['onArrival'];
  readonly isHaunted: boolean;
}

/** The links between all nodes: one for each direction, as between real ones. */
export class SimNetwork {
  readonly #links = new Map<string, SimLink>();
  readonly #ends: readonly LinkEnd[];

  constructor({ ends, dice, ...options }: NetworkOptions) {
    this.#ends = ends;
    for (const from of ends) {
      for (const to of ends) {
        if (from === to) continue;
        this.#links.set(`${from.id} ${to.id}`, new SimLink({ ...options, dice: dice.fork(), from, to }));
      }
    }
  }

  get links(): readonly SimLink[] {
    return [...this.#links.values()];
  }

  link(from: string, to: string): SimLink {
    const link = this.#links.get(`${from} ${to}`);
    if (link === undefined) throw new Error(`there is no link from ${from} to ${to}`);
    return link;
  }

  /** A process dials everyone; whatever led to the one before it breaks now at the latest. */
  begin(end: LinkEnd): void {
    this.leave(end);
    for (const other of this.#ends) if (other !== end) this.link(end.id, other.id).open();
  }

  /** A process has ended, and its sockets were closed for it. */
  leave(end: LinkEnd): void {
    for (const other of this.#ends) if (other !== end) this.link(other.id, end.id).break();
  }
}
