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
import { hello, ping } from './node-verbs.ts';
import { status } from './status.ts';

/** The verbs that ask a node, in the order that help shows them. */
export const CLIENT_VERBS: readonly ClientVerb[] = [
  get,
  set,
  remove,
  list,
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
