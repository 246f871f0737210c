import type { LogExtent } from '../ports/storage.ts';
import type { NodeAddress } from '../wire/address.ts';
import { failure } from '../wire/errors.ts';
import { LIMITS } from '../wire/limits.ts';
import { OPS, opsOfStage, type Request } from '../wire/ops.ts';
import { failed, type Outcome } from '../wire/reply.ts';
import { VERSION } from '../wire/version.ts';
import type { LineServer } from './server.ts';

/** A member of the cluster as `status` and `members` show it. */
export interface Member extends NodeAddress {
  readonly role: 'voter' | 'learner';
  /** At the leader: whether it can reach the member. */
  readonly active?: boolean;
  /** At the leader, from stage 4: the index up to which its log is known to be equal, and how many entries it lacks. */
  readonly match?: number;
  readonly lag?: number;
}

/** What a stage knows of its node; what it leaves out has the value of a node without a log. */
export interface NodeState {
  readonly node: string;
  readonly address: string;
  readonly cluster: string | null;
  readonly stage: number;
  /** From stage 4: tells its data directory from every other. */
  readonly instance?: string;
  /** From stage 8: tells its cluster from another that began with the same list of nodes. */
  readonly origin?: string;
  /** From stage 8: it was a member, and is none any more. */
  readonly removed?: boolean;
  /** What a person has to do about this node, in words. */
  readonly notice?: string | undefined;
  readonly role: 'single' | 'uninitialised' | 'learner' | 'follower' | 'candidate' | 'leader';
  readonly leader: NodeAddress | null;
  readonly members: readonly Member[];
  readonly rev: number;
  readonly keys: number;
  /** From stage 4. */
  readonly watches?: number;
  /** From stage 4. */
  readonly raft?: RaftFacts;
}

/** What `status` tells of a node's log. */
export interface RaftFacts {
  readonly term: number;
  readonly commit: number;
  readonly applied: number;
  readonly log: LogExtent;
  /** From stage 7, once there is one. */
  readonly snapshot?: { readonly index: number; readonly term: number; readonly bytes: number };
  readonly hash: string;
  /** From stage 5, at a follower: milliseconds since the leader was last heard. */
  readonly silence?: number;
}

const NO_RAFT: RaftFacts = { term: 0, commit: 0, applied: 0, log: { first: 0, last: 0, bytes: 0 }, hash: '' };

const startedAt = performance.now();

/** Answers the operations that are about the node asked, the same at every stage. */
export function answerAboutNode(request: Request, state: NodeState, server: LineServer): Outcome {
  const {
    node,
    address,
    cluster,
    stage,
    role,
    instance,
    origin,
    removed,
    notice,
    leader,
    members,
    rev,
    keys,
    watches = 0,
    raft = NO_RAFT,
  } = state;
  const { hash, snapshot = { index: 0, term: 0, bytes: 0 }, ...facts } = raft;
  const ops = opsOfStage(stage);
  switch (request.op) {
    case 'help':
      return {
        ok: true,
        rev,
        ops: Object.fromEntries(ops.map(op => [op, `${OPS[op].about} — ${OPS[op].example}`])),
      };
    case 'hello':
      return {
        ok: true,
        rev,
        name: 'raftline',
        version: VERSION,
        protocol: 1,
        node,
        cluster,
        stage,
        role,
        leader,
        limits: LIMITS,
        ops,
      };
    case 'ping':
      return { ok: true, rev, pong: true };
    case 'status':
      return {
        ok: true,
        rev,
        node,
        address,
        version: VERSION,
        cluster,
        instance,
        ...(origin !== undefined && { origin }),
        stage,
        role,
        ...(removed === true && { removed }),
        ...(notice !== undefined && { notice }),
        leader,
        ...facts,
        ...(hash !== '' && { hash }),
        snapshot,
        keys,
        connections: server.connections,
        watches,
        uptime: Math.floor((performance.now() - startedAt) / 1_000),
        members,
      };
    case 'members':
      return { ok: true, rev, members };
    case 'hash':
      return { ok: true, rev, applied: raft.applied, hash };
    case 'quit':
      return { ok: true, rev };
    default:
      return failed(
        failure('WRONG_STAGE', `${request.op} is for a node of a cluster; this one runs stage ${stage}`),
      );
  }
}
