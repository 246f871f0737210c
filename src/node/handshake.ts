import { type Failure, failure } from '../wire/errors.ts';
import { entryOf } from '../wire/table.ts';
import { shortened } from '../wire/text.ts';

/** The first words on a connection between nodes: who calls whom, in which cluster. */
export interface Handshake {
  readonly op: 'peer';
  readonly protocol: 1;
  readonly cluster: string;
  readonly from: string;
  readonly to: string;
  /** From stage 8: where the caller listens, for a node that does not know it yet. */
  readonly address?: string;
  /** From stage 8: the entry of the configuration by which the caller knows itself as a member; 0 while none does. */
  readonly member?: number;
  /** From stage 8: the mark of the data directory that the node that is called is known to have, if it is known. */
  readonly expects?: string | undefined;
  /** From stage 8: the mark of the caller's own. */
  readonly instance?: string;
  /** From stage 8: where the caller's cluster comes from, once it knows. */
  readonly origin?: string | undefined;
}

/** What a node whose members can change tells others of itself, and judges them by. */
export interface Acquaintance {
  readonly address: string;
  readonly member: number;
  /** The entries that brought the latest configuration of its log, and the latest that is committed; 0 while there is none. */
  readonly latest: number;
  readonly settled: number;
  readonly isRemoved: boolean;
  /** The nodes that it has to do with, as its log says at this moment. */
  readonly contacts: Readonly<Record<string, string>>;
  /** The mark of its own data directory, and those of others: with which they were added, or first met. */
  readonly instance: string;
  readonly instances: Readonly<Record<string, string>>;
  /** Where its cluster comes from, once that is committed. */
  readonly origin: string | undefined;
  /** Keeps the mark of a node that is met for the first time, durably. */
  readonly remember: (id: string, instance: string) => void;
}

/**
 * The handshake of a node whose members can change; it is read anew at each greeting, since what the node knows of
 * itself changes. `heard`: the mark that the node to be called has lately told of itself, and was accepted with.
 */
export function greeting(
  fixed: Handshake,
  acquaintance: () => Acquaintance,
  heard: () => string | undefined,
): Handshake {
  const { op, protocol, cluster, from, to } = fixed;
  return {
    op,
    protocol,
    cluster,
    from,
    to,
    get address() {
      return acquaintance().address;
    },
    get member() {
      return acquaintance().member;
    },
    get expects() {
      return heard() ?? entryOf(acquaintance().instances, to);
    },
    get instance() {
      return acquaintance().instance;
    },
    get origin() {
      return acquaintance().origin;
    },
  };
}

/** Who answers a handshake. */
export interface Called {
  readonly id: string;
  readonly cluster: string;
  readonly acquaintance?: Acquaintance | undefined;
}

/** What is wrong with whom a handshake names, or undefined; who calls is not looked at yet. */
export function misdialled(
  { protocol, cluster, from, to, expects, member, origin }: Readonly<Record<string, unknown>>,
  here: Called,
): Failure | undefined {
  if (protocol !== 1)
    return mismatch(`${here.id} speaks version 1 of the peer protocol, not ${named(protocol)}`);
  if (cluster !== here.cluster)
    return mismatch(`${here.id} belongs to cluster ${here.cluster}, not ${named(cluster)}`);
  if (to !== here.id) return mismatch(`this is ${here.id}, not ${named(to)}`);
  const known = here.acquaintance?.origin;
  if (origin !== undefined && known !== undefined && origin !== known)
    return mismatch(otherOrigin(named(from)));
  const instance = here.acquaintance?.instance;
  if (expects !== undefined && expects !== instance) return mismatch(lostData(here.id));
  // A member that knows an earlier node of this name knows of votes that this one has never given. Who is no member
  // yet counts no votes, and has to be heard: it may be this node's own learner, whose log is still to come.
  const own = entryOf(here.acquaintance?.instances ?? {}, here.id);
  if (expects === undefined && member !== 0 && own !== undefined)
    return mismatch(`${here.id} was added since; the caller has yet to hear of it`, { retry: true });
  return undefined;
}

/**
 * What is wrong with the data directory of a caller: it may have lost its data, and with it the votes that it gave.
 * One that is met for the first time is remembered, so that it cannot come back as another. One that knows itself as
 * a member by a later configuration than any here is believed: it has what came before in its log.
 */
export function changed(
  { from, instance, member }: Readonly<Record<string, unknown>>,
  { acquaintance }: Called,
): Failure | undefined {
  if (acquaintance === undefined || typeof from !== 'string' || typeof instance !== 'string')
    return undefined;
  const { instances, latest, remember } = acquaintance;
  const known = entryOf(instances, from);
  if (known === instance) return undefined;
  if (known !== undefined && !(Number(member) > latest)) return mismatch(lostData(from));
  remember(from, instance);
  return undefined;
}

/**
 * What is wrong with a caller that this node has nothing to do with as far as it knows, or undefined when it may
 * know more: a leader has to be listened to although one's own configuration lacks it (§6).
 */
export function unknown(
  { from, member = 0 }: Readonly<Record<string, unknown>>,
  { id, acquaintance }: Called,
): Failure | undefined {
  const stranger = mismatch(`${id} knows no node ${named(from)} in its cluster`);
  if (acquaintance === undefined || !Number.isSafeInteger(member)) return stranger;
  const { latest, settled, isRemoved, contacts } = acquaintance;
  const since = member as number;
  if (Object.hasOwn(contacts, String(from))) return undefined;
  if (latest === 0 || isRemoved || since > latest) return undefined;
  if (since > 0 && since <= settled) {
    const words = `${from} was removed from the cluster: stop it; it can come back as a new node, with add-learner`;
    return mismatch(words, { removed: true });
  }
  return { ...stranger, retry: true };
}

/** Why a node that is a member, and whose data directory is another than it was, must not go on; follows its name. */
export const LOST_DATA =
  'has lost its data, and with it the votes it gave: remove it with remove-node, then add it as a new node under a new id';

export function lostData(id: string): string {
  return `${id} ${LOST_DATA}`;
}

/** Why a node is no member of this cluster, though its cluster has the same id. */
export function otherOrigin(node: string): string {
  return `${node} has the data of an earlier cluster, which began with the same list of nodes: start it with an empty data directory`;
}

/** What to tell whoever asks a node that is no member any more. */
export function removalOf(node: string): string {
  return `${node} was removed from its cluster: stop it, or add it again with add-learner; ask another node for data`;
}

function mismatch(words: string, details?: Record<string, unknown>): Failure {
  return failure('CLUSTER_MISMATCH', words, details);
}

/** What a stranger says he is, fit for an error message: it may be anything, of any size and depth. */
function named(said: unknown): string {
  return typeof said === 'string' ? JSON.stringify(shortened(said)) : `a ${typeof said}`;
}
