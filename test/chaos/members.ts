import type { Reply } from '../shared/line-client.ts';
import { pause } from './caller.ts';
import type { World } from './world.ts';

/** Milliseconds that one request may take, and between two. */
const TIMEOUT = 2_000;
const BETWEEN = 100;

/** The members of a cluster that are to change: asked for until it is so, whatever stands in the way meanwhile. */
export class Members {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Makes these nodes the voters, for as long as there is patience; false when it has not come about. */
  async vote(voters: readonly string[], isOver: () => boolean): Promise<boolean> {
    while (!isOver()) {
      const members = await this.#known();
      const missing = voters.filter(id => !members.includes(id));
      for (const id of missing) await this.#add(id);
      const answer = await this.#ask({ op: 'change-membership', members: voters });
      if (answer?.ok) return true;
      await pause(BETWEEN);
    }
    return false;
  }

  /** Makes these nodes the voters, and all others learners. */
  async settle(voters: readonly string[], patience: number): Promise<boolean> {
    const end = performance.now() + patience;
    const isOver = () => performance.now() > end;
    if (!(await this.vote(voters, isOver))) return false;
    while (!isOver()) {
      const members = await this.#known();
      const missing = this.#world.ids.filter(id => !members.includes(id));
      if (missing.length === 0) return true;
      for (const id of missing) await this.#add(id);
    }
    return false;
  }

  /** Removes a node; false when that is not certain. */
  async remove(id: string): Promise<boolean> {
    const answer = await this.#ask({ op: 'remove-node', node: id });
    return answer?.ok === true;
  }

  async #add(id: string): Promise<void> {
    const { address } = this.#world.node(id);
    const answer = await this.#ask({ op: 'add-learner', node: { id, address } });
    // It is a member still, and has lost what it knew.
    if (answer?.error?.code === 'CLUSTER_MISMATCH') await this.remove(id);
  }

  /** The ids of the members as the leader knows them, or none where nobody leads. */
  async #known(): Promise<string[]> {
    const answer = await this.#ask({ op: 'members' });
    return (answer?.members ?? []).map((member: { id: string }) => member.id);
  }

  /** Asks the leader, where there is one. */
  async #ask(request: {
    readonly op: string;
    readonly [field: string]: unknown;
  }): Promise<Reply | undefined> {
    const leader = await this.#world.look();
    if (leader === undefined) {
      await pause(BETWEEN);
      return undefined;
    }
    return this.#world.ask(leader, { ...request, timeout: TIMEOUT });
  }
}
