import type { HistoryBounds } from '../../src/kv/history.ts';
import { answerAboutNode } from '../../src/node/about.ts';
import type { CompactionLimits } from '../../src/node/compaction.ts';
import type { AskStatus } from '../../src/node/membership.ts';
import type { LineServer } from '../../src/node/server.ts';
import type { NodeAddress } from '../../src/wire/address.ts';
import { failure } from '../../src/wire/errors.ts';
import { failed } from '../../src/wire/reply.ts';
import type { Dice } from './dice.ts';
import { MS } from './event-loop.ts';
import { type NetworkOptions, SimNetwork } from './sim-network.ts';
import { type NodeEvents, SimNode } from './sim-node.ts';

export interface MachinesOptions
  extends Pick<NetworkOptions, 'timeline' | 'onSend' | 'onArrival' | 'isHaunted'> {
  readonly dice: Dice;
  /** Each node's clock runs wrong by up to this fraction. */
  readonly drift: number;
  readonly segmentBytes: number;
  readonly ballotBytes: number;
  readonly limits: CompactionLimits | undefined;
  readonly history: HistoryBounds | undefined;
  readonly events: NodeEvents;
}

/** All machines that there are or were, with their nodes, and the network between them. */
export class Machines {
  readonly nodes: SimNode[] = [];
  readonly network: SimNetwork;
  readonly #options: MachinesOptions;

  constructor(options: MachinesOptions) {
    this.#options = options;
    const at = (address: string) => this.nodes.find(node => node.address === address && !node.isGone);
    this.network = new SimNetwork({ ...options, dice: options.dice.fork(), at });
  }

  node(id: string): SimNode {
    const node = this.nodes.find(other => other.id === id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  /** The machines on which a cluster begins. */
  found(size: number): void {
    const list = Array.from({ length: size }, (_, at) => addressOf(at + 1));
    for (const node of list) this.#add(node, list);
  }

  /** One more machine, whose node waits to be added. */
  join(): SimNode {
    return this.#add(addressOf(this.nodes.length + 1), undefined);
  }

  #add(self: NodeAddress, nodes: readonly NodeAddress[] | undefined): SimNode {
    const { timeline, drift, segmentBytes, ballotBytes, limits, history, events } = this.#options;
    const dice = this.#options.dice.fork();
    const node = new SimNode({
      ...self,
      nodes,
      timeline,
      dice,
      clockRate: 1 + (dice.next() * 2 - 1) * drift,
      segmentBytes,
      ballotBytes,
      limits,
      history,
      dial: from => this.network.dialFrom(from),
      ask: from => this.#askFrom(from),
      events,
    });
    this.nodes.push(node);
    return node;
  }

  /** Another node is asked over a connection of its own, as a client would. */
  #askFrom(from: SimNode): AskStatus {
    const { timeline } = this.#options;
    const { life } = from;
    return ({ id, address }, patience, done) => {
      let isOver = false;
      const end = (status: Parameters<typeof done>[0]) => {
        if (isOver || from.life !== life) return;
        isOver = true;
        from.arrive(() => done(status));
      };
      const words = `${id} at ${address} does not answer; start it, or mend its address`;
      timeline.after(patience * MS, () => end(failed(failure('NODE_UNREACHABLE', words, { node: id }))));
      const to = this.nodes.find(node => node.address === address && !node.isGone);
      if (to === undefined) return;
      this.network.road(from.id, to.id).carry(false, () => {
        to.arrive(() => {
          if (to.process === undefined) return;
          const server = { connections: 0 } as LineServer;
          const status = answerAboutNode({ op: 'status' }, to.process.standing.state, server);
          this.network.road(to.id, from.id).carry(false, () => end(status));
        });
      });
    };
  }
}

function addressOf(number: number): NodeAddress {
  return { id: `n${number}`, address: `10.0.0.${number}:7001` };
}
