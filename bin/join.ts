import { setTimeout as wait } from 'node:timers/promises';
import { type Client, connect, RaftlineError } from '../client/client.ts';
import type { MemberStatus, MembersReply, StatusReply } from '../client/results.ts';
import { removalOf } from '../src/node/handshake.ts';
import type { NodeAddress } from '../src/wire/address.ts';
import { failure } from '../src/wire/errors.ts';

/** Milliseconds between two tries. */
const BETWEEN = 500;
/** Milliseconds that a try may take; a node that votes has to have everything first. */
const ADD_PATIENCE = 5_000;
const CATCH_UP_PATIENCE = 60_000;

export interface JoinOptions {
  /** This node, at the address where the others dial it. */
  readonly self: NodeAddress;
  /** Any members of the cluster. */
  readonly through: string | readonly string[];
  /** The cluster that its data directory names, if it does: it is, or was, a member there. */
  readonly cluster?: string | null | undefined;
  /** Whether it is to be a voter; otherwise it stays a learner. */
  readonly wantsVote: boolean;
  /** Is told how far it has come, in words that follow the node's name. */
  readonly say: (text: string) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/**
 * Takes a node that runs into a cluster: as a learner, and as a voter once it has everything. Resolves when that is
 * so, which it may long have been; rejects when the cluster refuses it, or has removed it: only a person undoes that.
 * While the cluster is out of reach or busy, it tries again.
 */
export async function joinCluster(options: JoinOptions): Promise<void> {
  const { through, say, signal } = options;
  const client = connect(through, { failFast: true });
  const tried = new Set<string>();
  const steps = new Steps(client, options);
  try {
    for (;;) {
      signal.throwIfAborted();
      try {
        if (await steps.advance()) return;
        continue;
      } catch (error) {
        if (signal.aborted || !(error instanceof RaftlineError) || !isPassing(error)) throw error;
        // The same words once, however often they come.
        if (!tried.has(error.code)) say(`cannot join yet, and tries again: ${error.message}`);
        tried.add(error.code);
      }
      await wait(BETWEEN, undefined, { signal });
    }
  } finally {
    await client.close();
  }
}

/** Whether it may be otherwise the next time. A change of members that is not done may be repeated in any case. */
function isPassing({ retry, code }: RaftlineError): boolean {
  return retry || code === 'CONFLICT';
}

/** What is asked of the cluster, by what it comes to. */
interface Step {
  /** What is then so of this node, in words that follow its name. */
  readonly words: string;
  isTaken(own: MemberStatus | undefined): boolean;
}

/** The way in. A step whose answer was lost may have been taken: that is told when the members show it. */
class Steps {
  readonly #client: Client;
  readonly #options: JoinOptions;
  #asked: Step | undefined;
  /** Its data says that it is a member, or the cluster does, by its data: one that lost it is named there as well. */
  #isRecognised: boolean;

  constructor(client: Client, options: JoinOptions) {
    this.#client = client;
    this.#options = options;
    this.#isRecognised = options.cluster != null;
  }

  /** Takes the next step; true when there is none left. */
  async advance(): Promise<boolean> {
    const { self, wantsVote, signal } = this.#options;
    const { id, address } = self;
    const members = await membersOf(this.#client, signal);
    const own = members.find(member => member.id === id);
    if (this.#asked?.isTaken(own) === true) this.#taken();
    if (own === undefined) await refuseRemoved(this.#client, this.#options);
    if (own?.address !== address) {
      const words =
        own === undefined ? 'is a learner now, and catches up' : `is found at ${address} from now on`;
      this.#asked = { words, isTaken: now => now?.address === address };
      await this.#beRecognised();
      this.#taken();
      return false;
    }
    if (!this.#isRecognised) await this.#beRecognised();
    if (own.role === 'voter' || !wantsVote) return true;
    const voters = members.filter(member => member.role === 'voter').map(member => member.id);
    // Others may join at the same moment: a list of voters that has changed meanwhile must not be taken back.
    const change = { members: [...voters, id], expect: voters };
    this.#asked = { words: 'is a voter now', isTaken: now => now?.role === 'voter' };
    await this.#client.request('change-membership', change, { timeout: CATCH_UP_PATIENCE, signal });
    this.#taken();
    return true;
  }

  /** Asks for a place at this address; the leader gives it to no other data directory than it knows this node by. */
  async #beRecognised(): Promise<void> {
    const { self, signal } = this.#options;
    await this.#client.request('add-learner', { node: { ...self } }, { timeout: ADD_PATIENCE, signal });
    this.#isRecognised = true;
  }

  #taken(): void {
    if (this.#asked !== undefined) this.#options.say(this.#asked.words);
    this.#asked = undefined;
  }
}

/** Throws when this node was removed from the cluster. */
async function refuseRemoved(client: Client, { self, cluster, signal }: JoinOptions): Promise<void> {
  if (cluster == null) return;
  const { cluster: theirs, members } = (await client.request('status', {}, { signal })) as StatusReply;
  if (theirs !== cluster) return;
  const voters = members.filter(member => member.role === 'voter').map(member => member.id);
  // Any node may be behind; what changes nothing is answered by the leader, with the members as it has them.
  const nothing = { members: voters, expect: voters };
  const now = (await client.request('change-membership', nothing, {
    timeout: ADD_PATIENCE,
    signal,
  })) as MembersReply;
  if (now.members.some(member => member.id === self.id)) return;
  throw new RaftlineError(failure('CLUSTER_MISMATCH', removalOf(self.id), { removed: true }));
}

async function membersOf(client: Client, signal: AbortSignal): Promise<readonly MemberStatus[]> {
  const { members } = (await client.request('members', {}, { signal })) as MembersReply;
  return members;
}
