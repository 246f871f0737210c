import type { Position } from './entry.ts';

/**
 * The leader has another entry where this node has a committed one. Raft rules that out, so a disk has gone back in
 * time: old data was put back at other nodes, and with it went what they had acknowledged, or the votes that they gave.
 */
export class Contradiction extends Error {
  constructor(id: string, leader: string, { index, term }: Position, commit: number) {
    super(
      `${id} stops, and keeps its data: it has committed up to entry ${commit}, and the leader, ${leader}, has another entry ${index}, of term ${term}. ` +
        'Old data was put back at other nodes, or a copy of it runs beside them: what they had acknowledged may be left only here. ' +
        `Stop every node, and keep a copy of each data directory; compare them with raftline log --data DIR; make the right one a cluster of its own with raftline recover, and let the others join it with empty directories. To go on without what only ${id} has, remove it, and add it as a new node`,
    );
    this.name = 'Contradiction';
  }
}
