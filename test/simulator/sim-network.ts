import type { Dial } from '../../src/node/peers.ts';
import type { NodeMessage } from '../../src/node/raft-codec.ts';
import type { Dice } from './dice.ts';
import { type LinkEnd, SimLink } from './sim-link.ts';
import { SimRoad } from './sim-road.ts';
import type { Timeline } from './timeline.ts';

export interface NetworkOptions {
  readonly timeline: Timeline;
  readonly dice: Dice;
  /** Who listens at an address. */
  readonly at: (address: string) => LinkEnd | undefined;
  readonly onSend: (from: string, to: string, message: NodeMessage) => void;
  readonly onArrival: (from: string, to: string, message: NodeMessage) => boolean;
  readonly isHaunted: boolean;
}

/** The network between all machines: a road for each direction between two of them. */
export class SimNetwork {
  readonly #options: NetworkOptions;
  readonly #roads = new Map<string, SimRoad>();

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  get roads(): readonly SimRoad[] {
    return [...this.#roads.values()];
  }

  road(from: string, to: string): SimRoad {
    const name = `${from} ${to}`;
    const known = this.#roads.get(name);
    if (known !== undefined) return known;
    const { timeline, dice } = this.#options;
    const road = new SimRoad(timeline, dice.fork());
    this.#roads.set(name, road);
    return road;
  }

  /** How a process reaches other nodes. */
  dialFrom(from: LinkEnd): Dial {
    const { timeline, at, onSend, onArrival, isHaunted } = this.#options;
    return (peer, handshake, events) => {
      const to = at(peer.address);
      const road = this.road(from.id, to?.id ?? peer.id);
      return new SimLink({ timeline, road, from, to, handshake, events, onSend, onArrival, isHaunted });
    };
  }

  /** A process has ended, and its sockets were closed for it. */
  leave(end: LinkEnd): void {
    for (const [name, road] of this.#roads) if (name.split(' ').includes(end.id)) road.break();
  }
}
