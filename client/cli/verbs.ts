import type { ClientVerb } from './client-verb.ts';
import {
  addLearner,
  changeMembership,
  init,
  members,
  removeNode,
  snapshot,
  transferLeader,
} from './cluster-verbs.ts';
import { get, list, remove, set } from './keys.ts';
import { lease } from './lease.ts';
import { elect, lock } from './lock.ts';
import { hello, ping } from './node-verbs.ts';
import { register, services } from './services.ts';
import { status } from './status.ts';
import { txn } from './txn.ts';
import { watch } from './watch.ts';

/** The verbs that ask a node, in the order that help shows them. */
export const CLIENT_VERBS: readonly ClientVerb[] = [
  get,
  set,
  remove,
  list,
  txn,
  watch,
  lease,
  lock,
  elect,
  register,
  services,
  status,
  members,
  init,
  addLearner,
  changeMembership,
  removeNode,
  transferLeader,
  snapshot,
  ping,
  hello,
];
