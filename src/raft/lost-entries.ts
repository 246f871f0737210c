/**
 * This node's log ends before what it has acknowledged: somebody, or the disk, took away whole records from its end,
 * which no checksum tells. It must not go on: a majority may have counted on them.
 */
export class LostEntries extends Error {
  constructor(id: string, acknowledged: number, last: number) {
    super(
      `${id} has lost the end of its log: it had acknowledged entry ${acknowledged}, and has none beyond ${last}. ` +
        'While the others have a majority, remove it with remove-node, and add it again with an empty data directory',
    );
    this.name = 'LostEntries';
  }
}
