import type { Plant } from './plant.ts';

const STATE = 'src/raft/state.js';
const CONFIGURATION = 'src/raft/configuration.js';
const MEMBERSHIP = 'stages/8-membership/membership.js';

/** Mistakes in who counts, and from when on. */
export const MEMBER_PLANTS: readonly Plant[] = [
  {
    name: 'a learner counts',
    file: CONFIGURATION,
    find: 'export function quorumOf({ voters, old }) {',
    replace:
      'export function quorumOf({ nodes, voters: some, old }) {\n    const voters = old === undefined ? Object.keys(nodes) : some;',
    caughtBy: 'a learner is no part of any majority',
  },
  {
    name: 'a learner asks to be elected',
    file: STATE,
    find: '!this.isDismissed && this.#configurations.some(isVoter)',
    replace: '!this.isDismissed',
    caughtBy: 'a learner that hears nobody does not ask to be elected',
  },
  {
    name: 'while a configuration is joint, the new majority decides alone',
    file: CONFIGURATION,
    find: 'new Quorum(voters, old)',
    replace: 'new Quorum(voters)',
    caughtBy: 'the new voters alone commit no joint configuration',
  },
  {
    name: 'while a configuration is joint, the old majority decides alone',
    file: CONFIGURATION,
    find: 'new Quorum(voters, old)',
    replace: 'new Quorum(old)',
    caughtBy: 'the old voters alone commit no joint configuration',
  },
  {
    name: 'the final configuration follows before the joint one is committed',
    file: MEMBERSHIP,
    find: 'commit < configurationIndex || commit < leadsFrom',
    replace: 'commit < leadsFrom',
    caughtBy: 'a change of the members waits for the one before it',
  },
  {
    name: 'a change of the members begins before the no-op is committed',
    file: MEMBERSHIP,
    find: "if (commit < leadsFrom)\n            return 'no-op';",
    replace: '',
    caughtBy: "no change of the members begins before the leader's no-op is committed",
  },
  {
    name: 'a new leader finishes a change of the members before its no-op is committed',
    file: MEMBERSHIP,
    find: 'commit < configurationIndex || commit < leadsFrom',
    replace: 'commit < configurationIndex',
    caughtBy: 'a joint configuration is finished behind the no-op of whoever leads next',
  },
  {
    name: 'a change of the members begins while another is under way',
    file: MEMBERSHIP,
    find: 'this.#waiting !== undefined || !isSettled',
    replace: 'this.#waiting !== undefined',
    caughtBy: 'a change of the members waits for the one before it',
  },
  {
    name: 'a configuration that is truncated counts on',
    file: STATE,
    find: 'while (this.configurationIndex >= from)\n            this.#configurations.pop();',
    replace: '',
    caughtBy: 'a configuration that is replaced in the log counts no more',
  },
  {
    name: 'of two configurations that are truncated, one counts on',
    file: STATE,
    find: 'while (this.configurationIndex >= from)',
    replace: 'if (this.configurationIndex >= from)',
    // As long as one change waits for the other, no log has two that can be truncated.
    caughtBy: {
      file: 'test/8-membership/paper.test.js',
      title: 'a configuration that is overwritten counts no more, nor do two at once',
    },
  },
  {
    name: 'a majority is counted by a configuration that was truncated',
    file: STATE,
    find: 'this.#configurations.pop();\n        this.#reconfigure();',
    replace: 'this.#configurations.pop();',
    caughtBy: 'a configuration that is replaced in the log counts no more',
  },
  {
    name: 'a leader that is removed counts itself',
    file: 'stages/4-log-replication/replication.js',
    find: 'state.quorum.reached(id =>',
    replace:
      '(state.quorum.has(state.id) ? state.quorum : new state.quorum.constructor([state.id, ...state.quorum.voters])).reached(id =>',
    caughtBy: 'a leader that is removed does not count itself, and goes',
  },
  {
    name: 'what a node had before it was removed counts when it is back',
    file: MEMBERSHIP,
    find: 'progress.has(id) && !isBack',
    replace: 'progress.has(id)',
    caughtBy: 'a node that comes back with nothing is sent everything',
  },
];
