import type { Clock } from '../ports/clock.ts';
import { type Configuration, configurationOf, haveSameVoters } from '../raft/configuration.ts';
import type { NodeAddress } from '../wire/address.ts';
import { type Failure, failure, RaftlineError, refuse, UNKNOWN_OUTCOME } from '../wire/errors.ts';
import type { RequestOf } from '../wire/ops.ts';
import { failed, type Outcome, outcomeOf } from '../wire/reply.ts';
import { entryOf } from '../wire/table.ts';
import type { Member } from './about.ts';
import { lostData, otherOrigin } from './handshake.ts';
import type { Core } from './host.ts';
import { Origin } from './origin.ts';
import type { Responder } from './server.ts';
import { notLeader, shuttingDown } from './waiting.ts';

/** Milliseconds that a new node has to answer who it is. */
const ASK_PATIENCE = 1_500;
/** Milliseconds before the deadline at which a change that has not begun is given up, so that the answer still arrives. */
const MARGIN = 250;

export type MembershipRequest =
  | RequestOf<'add-learner'>
  | RequestOf<'change-membership'>
  | RequestOf<'remove-node'>;

/** Asks a node for its status, as a client would: NODE_UNREACHABLE when it does not answer in so many milliseconds. */
export type AskStatus = (node: NodeAddress, patience: number, done: (status: Outcome) => void) => void;

export interface MembershipChangesOptions {
  readonly core: Core;
  readonly clock: Clock;
  readonly cluster: string;
  readonly ask: AskStatus;
  /** The mark of the data directory that another node had when it was first met. */
  readonly markOf: (id: string) => string | undefined;
  readonly members: () => readonly Member[];
  readonly rev: () => number;
  /** Evenly distributed in [0, 1). */
  readonly random: () => number;
  /** Has the host take a turn. */
  readonly wake: () => void;
}

/** The change that is under way. */
interface Open {
  readonly to: Configuration;
  readonly term: number;
  readonly responder: Responder;
  /** Something of it is in the log, so that it may happen whoever leads. */
  isBegun: boolean;
}

/** The configuration that a request asks for, and whether it is to come about whoever is away. */
interface Wanted {
  readonly to: Configuration;
  readonly force: boolean;
}

/** Adding, moving and removing members on request, at the leader: what is asked is judged, begun, and told of when it is done. */
export class MembershipChanges {
  readonly #options: MembershipChangesOptions;
  readonly #origin: Origin;
  #open: Open | undefined;
  /** What came while the cluster was getting its origin, which is no change of anybody's. */
  #early: { readonly request: MembershipRequest; readonly responder: Responder }[] = [];

  constructor(options: MembershipChangesOptions) {
    this.#options = options;
    this.#origin = new Origin(options);
  }

  take(request: MembershipRequest, responder: Responder): void {
    this.#origin.check();
    if (this.#origin.isUnderWay) {
      this.#early.push({ request, responder });
      return;
    }
    this.#judge(responder, () => {
      this.#refuseObstacle();
      switch (request.op) {
        case 'add-learner':
          this.#add(request.node, responder);
          return;
        case 'change-membership':
          this.#begin({ to: this.#withVoters(request), force: request.force === true }, responder);
          return;
        case 'remove-node':
          this.#begin({ to: this.#without(request.node), force: request.force === true }, responder);
      }
    });
  }

  /** Does what may be refused; whoever asked is told. */
  #judge(responder: Responder, work: () => void): void {
    try {
      work();
    } catch (error) {
      responder.answer(outcomeOf(error));
    }
  }

  get #now(): Configuration {
    return this.#options.core.state.configuration;
  }

  #refuseObstacle(): void {
    const { core } = this.#options;
    switch (core.obstacle) {
      case undefined:
        return;
      case 'not-leading':
        throw new RaftlineError(notLeader(null));
      case 'no-op':
        refuse(
          'CHANGE_IN_PROGRESS',
          'the leader is new, and has yet to learn what is committed; try again in a moment',
        );
        break;
      case 'handing-over':
        refuse('CHANGE_IN_PROGRESS', 'leadership is being handed over; try again in a moment');
        break;
      case 'change': {
        const { voters, old } = this.#now;
        const what = old === undefined ? '' : `, from the voters ${old.join(', ')} to ${voters.join(', ')}`;
        refuse(
          'CHANGE_IN_PROGRESS',
          `another change of the members is under way${what}; try again when it is done`,
        );
      }
    }
  }

  /** Asks the node that is to be added who it is, and goes on when it has answered. */
  #add(node: NodeAddress, responder: Responder): void {
    const { nodes } = this.#now;
    const { id, address } = node;
    const holder = Object.keys(nodes).find(other => other !== id && nodes[other] === address);
    if (holder !== undefined)
      refuse(
        'BAD_REQUEST',
        `${address} is the address of ${holder}; mend the address, or remove ${holder} first`,
      );
    const { ask, clock } = this.#options;
    const patience = Math.min(ASK_PATIENCE, Math.max(1, (responder.deadline - clock.now()) / 2));
    ask(node, patience, status => {
      this.#judge(responder, () => {
        const instance = this.#checked(node, status);
        // Others may have been quicker, or this node leads no more.
        this.#refuseObstacle();
        this.#begin({ to: this.#withNode(node, instance), force: false }, responder);
      });
    });
  }

  /** The configuration with one more learner, or with another address of a member. */
  #withNode({ id, address }: NodeAddress, instance: string): Configuration {
    const { instances, ...now } = this.#now;
    const isMember = Object.hasOwn(now.nodes, id);
    return configurationOf({
      ...now,
      nodes: { ...now.nodes, [id]: address },
      instances: isMember ? { ...instances } : { ...instances, [id]: instance },
    });
  }

  /** Whether the node that answers may be added, or is the member that it is said to be; returns the mark of its data directory. */
  #checked({ id, address }: NodeAddress, status: Outcome): string {
    const { cluster } = this.#options;
    if (!status.ok) {
      if (status.error.code === 'NODE_UNREACHABLE') throw new RaftlineError(status.error);
      refuse('NODE_UNREACHABLE', `${address} is no raftline node: ${status.error.message}`);
    }
    if (status.node !== id)
      refuse(
        'UNKNOWN_NODE',
        `the node at ${address} is ${status.node}, not ${id}; mend the id or the address`,
      );
    if (Number(status.stage) < 8 || typeof status.instance !== 'string')
      refuse('WRONG_STAGE', `${id} at ${address} runs stage ${status.stage}; start it with stage 8`);
    const waits = status.role === 'uninitialised';
    if (!waits && status.cluster !== cluster) {
      const words = `${id} at ${address} belongs to cluster ${status.cluster}, not to ${cluster}; start it with an empty data directory`;
      refuse('CLUSTER_MISMATCH', words);
    }
    // A founder is in no entry by its mark, but this node may have met it.
    const known = entryOf(this.#now.instances ?? {}, id) ?? this.#options.markOf(id);
    const isMember = Object.hasOwn(this.#now.nodes, id);
    const isOther = known === undefined ? waits : known !== status.instance;
    if (isMember && isOther) refuse('CLUSTER_MISMATCH', lostData(id));
    if (status.origin !== undefined && status.origin !== this.#origin.mark)
      refuse('CLUSTER_MISMATCH', otherOrigin(`${id} at ${address}`));
    return status.instance;
  }

  /** The configuration in which these vote; with `expect`, only if just those vote that the asker takes for the voters now. */
  #withVoters({ members: voters, expect }: RequestOf<'change-membership'>): Configuration {
    const now = this.#now;
    if (expect !== undefined && !haveSameVoters(now, { ...now, voters: expect })) {
      const words = `the voters are ${now.voters.join(', ')}, not ${expect.join(', ')}`;
      refuse('CONFLICT', `${words}; look at the members again and decide anew`);
    }
    const stranger = voters.find(id => !Object.hasOwn(now.nodes, id));
    if (stranger !== undefined) {
      const members = Object.keys(now.nodes).join(', ');
      refuse(
        'UNKNOWN_NODE',
        `${stranger} is not one of the members, ${members}; add it with add-learner first`,
      );
    }
    return keeping(now, voters, id => voters.includes(id) || !now.voters.includes(id));
  }

  #without(node: string): Configuration {
    const now = this.#now;
    const voters = now.voters.filter(id => id !== node);
    if (!Object.hasOwn(now.nodes, node) && !this.#options.core.state.knows(node)) {
      refuse('UNKNOWN_NODE', `${node} is not one of the members, ${Object.keys(now.nodes).join(', ')}`);
    }
    if (voters.length === 0)
      refuse('BAD_REQUEST', `${node} is the last voter; a cluster needs one: make another the voter first`);
    return keeping(now, voters, id => id !== node);
  }

  #begin({ to, force }: Wanted, responder: Responder): void {
    const { core, wake } = this.#options;
    const { configuration, term } = core.state;
    if (isSame(configuration, to)) {
      responder.answer(this.#done());
      return;
    }
    const refusal = this.#unreachable(to, force);
    if (refusal !== undefined) {
      responder.answer(failed(refusal));
      return;
    }
    core.changeMembers?.(to, force);
    this.#open = { to, term, responder, isBegun: false };
    wake();
  }

  /** Why the new voters could decide nothing, if they could not. */
  #unreachable(to: Configuration, force: boolean): Failure | undefined {
    const { core, members } = this.#options;
    if (core.hasQuorum === false)
      return failure(
        'NO_QUORUM',
        'the leader cannot reach a majority of the nodes; restart or reconnect them',
      );
    if (force || haveSameVoters(core.state.configuration, to)) return undefined;
    const away = members().flatMap(({ id, active }) =>
      to.voters.includes(id) && active !== true ? [id] : [],
    );
    if ((to.voters.length - away.length) * 2 > to.voters.length) return undefined;
    const words = `of the voters ${to.voters.join(', ')} the leader cannot reach ${away.join(', ')}, and without a majority nothing could be decided; restart them, name others, or add "force": true`;
    return failure('NO_QUORUM', words);
  }

  #done(): Outcome {
    return { ok: true, rev: this.#options.rev(), members: this.#options.members() };
  }

  /** Called every so often: what has to be done, and what is done. */
  check(): void {
    this.#origin.check();
    if (this.#early.length > 0 && !this.#origin.isUnderWay) {
      const early = this.#early;
      this.#early = [];
      for (const { request, responder } of early) this.take(request, responder);
    }
    this.#checkOpen();
  }

  /** Whether the change has come about, or cannot be decided here any more. */
  #checkOpen(): void {
    const open = this.#open;
    if (open === undefined) return;
    const { core, clock } = this.#options;
    const { state, laggards } = core;
    if (laggards === undefined) open.isBegun = true;
    const left = open.responder.deadline - clock.now();
    if (isSame(state.settledConfiguration, open.to)) this.#answer(open, this.#done());
    else if (state.role !== 'leader' || state.term !== open.term) this.#answer(open, failed(lost(open)));
    else if (left < MARGIN && !open.isBegun) this.#answer(open, failed(this.#giveUp(laggards ?? [])));
    else if (left < 0) this.#open = undefined; // whoever asked has been told that nobody knows
  }

  #giveUp(laggards: readonly string[]): Failure {
    this.#options.core.cancelChange?.();
    const words =
      laggards.length === 0
        ? 'the change could not begin in time; nothing was changed: try again'
        : `${laggards.join(', ')} has not caught up yet, and would hold up every change as a voter; nothing was changed: try again later, or with a longer timeout`;
    return failure('TIMEOUT', words, { definite: true });
  }

  #answer(open: Open, outcome: Outcome): void {
    this.#open = undefined;
    open.responder.answer(outcome);
  }

  /** This node stops. */
  shutDown(): void {
    const early = this.#early;
    this.#early = [];
    for (const { responder } of early) responder.answer(failed(shuttingDown()));
    const open = this.#open;
    if (open === undefined) return;
    if (!open.isBegun && this.#options.core.laggards !== undefined) {
      this.#options.core.cancelChange?.();
      this.#answer(open, failed(shuttingDown()));
    } else {
      const words = `this node shut down before the change was done; ${UNKNOWN_OUTCOME}`;
      this.#answer(open, failed(failure('LEADER_LOST', words, { definite: false })));
    }
  }
}

function lost({ isBegun }: Open): Failure {
  if (!isBegun) return notLeader(null);
  const words = `this node lost the lead before the change was done; it may or may not happen: look at members before you repeat it`;
  return failure('LEADER_LOST', words, { definite: false });
}

/** A configuration with other voters, and of its nodes only those that stay. */
function keeping(
  { nodes, instances = {}, origin }: Configuration,
  voters: readonly string[],
  stays: (id: string) => boolean,
): Configuration {
  const kept = (table: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(table).filter(([id]) => stays(id)));
  return configurationOf({ nodes: kept(nodes), voters, instances: kept(instances), origin });
}

function isSame(a: Configuration, b: Configuration): boolean {
  return (
    a.old === undefined &&
    haveSameVoters(a, b) &&
    haveSameEntries(a.nodes, b.nodes) &&
    haveSameEntries(a.instances ?? {}, b.instances ?? {})
  );
}

function haveSameEntries(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const ids = Object.keys(a);
  return ids.length === Object.keys(b).length && ids.every(id => a[id] === b[id]);
}
