import type { Position } from '../raft/entry.ts';
import type { AppendFile } from './append-file.ts';
import { type LoadedSnapshot, SnapshotReader } from './snapshot-records.ts';

/**
 * A snapshot that is coming in: each piece is checked, written behind the others and taken into a new state at once,
 * so that nothing large is left to do when the last has come.
 */
export class IncomingSnapshot {
  readonly file: AppendFile;
  readonly position: Position;
  /** How its file is known again. */
  readonly hash: string;
  /** It is whole and on its way to the disk: no longer to be thrown away. */
  isKept = false;
  readonly #reader = new SnapshotReader();

  constructor(file: AppendFile, position: Position, hash: string) {
    this.file = file;
    this.position = position;
    this.hash = hash;
  }

  /** Bytes that have come: where the next piece has to begin. */
  get size(): number {
    return this.file.size;
  }

  /** The snapshot, once all of it has come. */
  get loaded(): LoadedSnapshot | undefined {
    return this.#reader.loaded;
  }

  /** Takes the next lines; false when the disk has no room for them. Throws when they are not of this snapshot. */
  take(lines: readonly string[]): boolean {
    if (lines.length === 0) return true;
    for (const line of lines) this.#reader.take(line);
    const { loaded } = this.#reader;
    if (loaded !== undefined) {
      const { head, hash } = loaded;
      const { index, term } = this.position;
      if (head.index !== index || head.term !== term || hash !== this.hash)
        throw new Error(
          `it is the snapshot of entry ${head.index} of term ${head.term}, not the one announced`,
        );
    }
    return this.file.append(`${lines.join('\n')}\n`);
  }
}
