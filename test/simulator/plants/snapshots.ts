import type { Plant } from './plant.ts';

const SNAPSHOTS = 'stages/7-compaction/snapshots.js';

/** Mistakes in what takes the place of a log. */
export const SNAPSHOT_PLANTS: readonly Plant[] = [
  {
    name: 'a snapshot stands for more than is applied',
    file: 'src/node/compaction.js',
    find: 'const head = { ...this.#positionOf(index), configuration',
    replace: 'const head = { ...this.#positionOf(entries.last.index), configuration',
    caughtBy: 'a snapshot stands for no more than is applied',
  },
  {
    name: 'the log on the disk goes on as before behind a snapshot that it does not fit',
    file: 'src/raft/state.js',
    find: 'this.#begins = snapshot;',
    replace: '',
    caughtBy: 'a snapshot that does not fit takes the place of the whole log',
  },
  {
    name: 'the name of a snapshot is not durable when what it stands for goes',
    file: 'src/node/snapshot-files.js',
    find: "const fd = spare.open(directory, 'r');\n            files.fsync(fd, error => {",
    replace: "const fd = spare.open(directory, 'r');\n            ((_, then) => then(null))(fd, error => {",
    caughtBy: 'the power may go when a log has just been compacted',
  },
  {
    name: 'a snapshot that the log has overtaken is installed',
    file: SNAPSHOTS,
    find: ' && index > this.#state.commit',
    replace: '',
    caughtBy: 'a snapshot that the log has overtaken is not installed',
  },
  {
    name: 'a snapshot is taken in by a node that has all of it',
    file: SNAPSHOTS,
    find: 'if (message.lastIndex <= commit)',
    replace: 'if (false)',
    caughtBy: 'a snapshot that a node has already is not taken in again',
  },
  {
    name: 'a snapshot forgets what sessions have done',
    file: 'src/kv/image.js',
    find: 'outcome } of results)',
    replace: 'outcome } of [])',
    caughtBy: 'what sessions have done goes with a snapshot',
  },
];
