import type { Plant } from './plant.ts';

const TIME = 'src/node/cluster-time.js';

/** Mistakes in what is told to clients, and in what applications rest on. */
export const APPLICATION_PLANTS: readonly Plant[] = [
  {
    name: 'a ReadIndex is used again',
    file: 'src/node/reads.js',
    find: 'this.#number += 1;',
    replace: '',
    caughtBy: 'an answer that comes twice answers one read',
  },
  {
    name: 'an unknown outcome is called definite',
    file: 'src/node/changes.js',
    find: 'failed(failure(code, words, { definite: false, leader }))',
    replace: 'failed(failure(code, words, { definite: true, leader }))',
    caughtBy: 'a change that was given up and is committed after all was not denied',
  },
  {
    name: "another leader's entry answers for one that it replaced",
    file: 'src/node/changes.js',
    find: 'if (proposed.term === term && outcome !== undefined)',
    replace: 'if (outcome !== undefined)',
    caughtBy: 'a change that another took the place of is not said to be done',
  },
  {
    name: 'a change that comes again happens again',
    file: 'src/kv/commands.js',
    find: 'if (known !== undefined) {',
    replace: 'if (false) {',
    caughtBy: 'a change under a session happens once, however often it comes',
  },
  {
    name: 'a transaction that fails is done by half',
    file: 'src/kv/transaction.js',
    find: 'store.rollback();\n            return failed({ ...outcome.error, index });',
    replace:
      'if (store.hasChanged)\n                store.commit();\n            return failed({ ...outcome.error, index });',
    caughtBy: 'a transaction is done as a whole or not at all',
  },
  {
    name: 'a session ends at another time on each node',
    file: 'src/kv/sessions.js',
    find: 'if (isDue(deadlineOf(session), now))',
    replace: 'if (isDue(deadlineOf(session) - (globalThis.lives = (globalThis.lives ?? 0) + 1) * 100, now))',
    caughtBy: 'a session that is in use ends nowhere',
  },
  {
    name: 'a new leader is ahead of the last one, and ends leases early',
    file: TIME,
    find: 'this.#offset = at - clock.now();',
    replace: 'this.#offset = at - clock.now() + 3_000;',
    caughtBy: 'a lease ends in time under the next leader',
  },
  {
    name: 'a lease ends by the own clock of a new leader',
    file: TIME,
    find: 'Math.floor(clock.now() + this.#offset)',
    replace: 'Math.floor(clock.now())',
    caughtBy: 'a lease ends in time under the next leader',
  },
  {
    name: 'a watch that goes on elsewhere begins with what comes next',
    file: 'src/node/watches.js',
    find: 'Math.max(1, from ?? rev + 1)',
    replace: 'Math.max(1, from ?? 0, rev + 1)',
    caughtBy: 'a watch goes on at another node without a gap',
  },
  {
    name: 'a follower applies what it has, and tells of it, before it is committed',
    file: 'src/node/host.js',
    find: 'for (const entry of ready.committed) {\n',
    replace:
      "for (const entry of [...new Set([...ready.committed, ...(this.#core.state.role === 'leader' ? [] : ready.entries)])].filter(({ index }) => index > this.#applied)) {\n",
    caughtBy: 'a watch at a follower tells of nothing that is not committed',
  },
];
