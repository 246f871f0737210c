import type { Plant } from './plants.ts';

const STATE = 'src/raft/state.js';
const CONFIGURATION = 'src/raft/configuration.js';
const MEMBERSHIP = 'stages/8-membership/membership.js';
const COMMANDS = 'src/kv/commands.js';
const TIME = 'src/node/cluster-time.js';

/** Mistakes in what stages 7 and 8 add, and in what applications rest on. */
export const LATER_PLANTS: readonly Plant[] = [
  {
    name: 'a learner counts',
    file: CONFIGURATION,
    find: 'export function quorumOf({ voters, old }) {',
    replace:
      'export function quorumOf({ nodes, voters: some, old }) {\n    const voters = old === undefined ? Object.keys(nodes) : some;',
  },
  {
    name: 'while a configuration is joint, the new majority decides alone',
    file: CONFIGURATION,
    find: 'new Quorum(voters, old)',
    replace: 'new Quorum(voters)',
  },
  {
    name: 'the final configuration follows before the joint one is committed',
    file: MEMBERSHIP,
    find: 'if (commit < configurationIndex)\n            return;\n        if (configuration.old',
    replace: 'if (configuration.old',
  },
  {
    name: 'a snapshot stands for more than is applied',
    file: 'src/node/compaction.js',
    find: 'const head = { ...this.#positionOf(index), configuration',
    replace: 'const head = { ...this.#positionOf(entries.last.index), configuration',
  },
  {
    name: 'the log on the disk goes on as before behind a snapshot that it does not fit',
    file: STATE,
    find: 'this.#begins = snapshot;',
    replace: '',
  },
  {
    name: 'the name of a snapshot is not durable when what it stands for goes',
    file: 'src/node/snapshot-files.js',
    find: "const fd = spare.open(directory, 'r');\n            files.fsync(fd, error => {",
    replace: "const fd = spare.open(directory, 'r');\n            ((_, then) => then(null))(fd, error => {",
  },
  {
    name: 'a snapshot forgets what sessions have done',
    file: 'src/kv/image.js',
    find: 'of sessions.results())',
    replace: 'of [])',
  },
  {
    name: 'a change that comes again happens again',
    file: COMMANDS,
    find: 'if (known !== undefined) {',
    replace: 'if (false) {',
  },
  {
    name: 'a transaction that fails is done by half',
    file: 'src/kv/transaction.js',
    find: 'store.rollback();\n            return failed({ ...outcome.error, index });',
    replace:
      'if (store.hasChanged)\n                store.commit();\n            return failed({ ...outcome.error, index });',
  },
  {
    name: 'a new leader is ahead of the last one, and ends leases early',
    file: TIME,
    find: 'this.#offset = at - clock.now();',
    replace: 'this.#offset = at - clock.now() + 3_000;',
  },
  {
    name: 'a session ends at another time on each node',
    file: 'src/kv/sessions.js',
    find: 'if (isDue(deadlineOf(session), now))',
    replace: 'if (isDue(deadlineOf(session) - (globalThis.lives = (globalThis.lives ?? 0) + 1) * 100, now))',
  },
];
