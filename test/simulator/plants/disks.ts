import type { Plant } from './plant.ts';

/** Mistakes in what is kept on the disk, and in what is relied on before it is there. */
export const DISK_PLANTS: readonly Plant[] = [
  {
    name: 'a vote is forgotten at a restart',
    file: 'src/node/journal-open.js',
    find: 'ballot: vote.ballot,',
    replace: 'ballot: { term: vote.ballot.term, vote: null },',
    caughtBy: 'nobody votes twice in a term, not even across a restart',
  },
  {
    name: 'answers leave before their mark is durable',
    file: 'src/node/host.js',
    find: 'first !== undefined && first.mark <= this.#durable',
    replace: 'first !== undefined',
    caughtBy: 'nobody votes twice in a term, not even across a restart',
  },
  {
    name: 'a sync covers what was written while it ran',
    file: 'src/node/append-file.js',
    find: 'this.#durable = size;\n            done',
    replace: 'this.#durable = this.#size;\n            done',
    caughtBy: 'all power may go at once, again and again',
  },
  {
    name: 'a failed sync counts as done',
    file: 'src/node/append-file.js',
    find: 'done(error);',
    replace: 'done(null);',
    caughtBy: 'a node ends when a sync fails',
  },
  {
    name: 'a new segment is not entered in its directory durably',
    file: 'src/node/segmented-log.js',
    find: 'this.#owed = 0;\n        files.fsync(directoryFd, done);',
    replace: 'this.#owed = 0;\n        files.fsync(fd, done);',
    caughtBy: 'all power may go at once, again and again',
  },
  {
    name: 'a segment is begun before the last one is durable',
    file: 'src/node/journal.js',
    find: 'if (this.#isSyncing || !this.#log.isWhollyDurable)',
    replace: 'if (false)',
    caughtBy: 'all power may go at once, again and again',
  },
  {
    name: 'a torn tail is kept',
    file: 'src/node/journal-open.js',
    find: 'const current = this.#openForWriting(segment.path, segment.bytes, replay.isTorn);',
    replace: 'const current = this.#openForWriting(segment.path, segment.bytes, false);',
    caughtBy: 'nothing stays of a record that a loss of power cut off',
  },
  {
    name: 'what is replaced in a log comes back at a restart',
    file: 'src/node/journal-replay.js',
    find: 'if (kept < this.entries.length)',
    replace: 'if (kept < this.entries.length) return undefined; if (false)',
    caughtBy: 'what was replaced in a log stays replaced',
  },
];
