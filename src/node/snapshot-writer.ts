import type { Clock } from '../ports/clock.ts';
import type { AppendFile } from './append-file.ts';
import type { SnapshotSource } from './snapshot-records.ts';

/** Milliseconds, and characters, of writing at a time: heartbeats and clients have their turn between. */
const SLICE = 4;
const SLICE_CHARACTERS = 1_048_576;
/** Characters that are written at once, and lines between two looks at the clock. */
const BLOCK = 65_536;
const LOOK = 32;
/** Bytes after which the disk has to have them, so that the log's own syncs never wait for much of this file. */
const SYNC = 8_388_608;

/** How it ended: everything is on the disk, there was no room for it, or it was given up. */
export type Written = 'whole' | 'no room' | 'given up';

/** Writes a snapshot to its file in slices, and sees to it that it is on the disk. */
export class SnapshotWriter {
  readonly #file: AppendFile;
  readonly #source: SnapshotSource;
  readonly #clock: Clock;
  readonly #done: (error: Error | null, written: Written) => void;
  #isGivenUp = false;

  constructor(
    file: AppendFile,
    source: SnapshotSource,
    clock: Clock,
    done: (error: Error | null, written: Written) => void,
  ) {
    this.#file = file;
    this.#source = source;
    this.#clock = clock;
    this.#done = done;
    clock.soon(() => this.#slice());
  }

  /** Writes no more; `done` comes in a later turn all the same. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  #slice(): void {
    if (this.#isGivenUp) {
      this.#done(null, 'given up');
      return;
    }
    try {
      const isAllWritten = this.#write();
      if (isAllWritten === undefined) this.#done(null, 'no room');
      else if (isAllWritten) this.#sync(() => this.#done(null, 'whole'));
      else if (this.#file.size - this.#file.durable >= SYNC) this.#sync(() => this.#slice());
      else this.#clock.soon(() => this.#slice());
    } catch (error) {
      this.#done(error as Error, 'given up');
    }
  }

  /** Writes for a while: true at the end, undefined when the disk is full. */
  #write(): boolean | undefined {
    const end = this.#clock.now() + SLICE;
    const until = this.#file.size + SLICE_CHARACTERS;
    for (;;) {
      let lines = 0;
      let isTimeUp = false;
      const text = this.#source.take(characters => {
        lines += 1;
        if (lines % LOOK === 0) isTimeUp = this.#clock.now() >= end;
        return isTimeUp || characters >= BLOCK;
      });
      if (text !== '' && !this.#file.append(text)) return undefined;
      if (this.#source.hash !== undefined) return true;
      if (isTimeUp || this.#file.size >= until) return false;
    }
  }

  #sync(then: () => void): void {
    this.#file.sync(error => {
      if (error !== null) this.#done(error, 'given up');
      else then();
    });
  }
}
