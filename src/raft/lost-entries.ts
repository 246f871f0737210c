/**
 * This node's log ends before what it has acknowledged: somebody, or the disk, took away whole records from its end,
 * which no checksum tells. It must not go on: a majority may have counted on them.
 */
export class LostEntries extends Error {
  constructor(id: string, acknowledged: number, last: number) {
    super(
      `${id} has lost the end of its log: it had acknowledged entry ${acknowledged}, and has none beyond ${last}. ` +
        'While the others have a majority, it can come back as a new node, with an empty data directory: from stage 8 on, ' +
        'remove it with remove-node, and add it again',
    );
    this.name = 'LostEntries';
  }
}
