import { isAscii } from 'node:buffer';
import { endOfRecord, isSound, PREFIX } from './checksum.ts';
import { damaged } from './data-error.ts';
import type { FileSystem } from './file-system.ts';

const NEWLINE = 0x0a;
const NUL = 0x00;
const BRACKET = 0x5b;

/** Reads the records of one file in order. A file of any size passes through one buffer, as large as a record needs. */
export class RecordReader {
  readonly #files: FileSystem;
  readonly #fd: number;
  #buffer: Buffer;
  /** Where the buffer begins in the file. */
  #position: number;
  #filled = 0;
  /** How the text in the buffer is decoded; ASCII, as most is, takes less when the decoder knows. */
  #encoding: 'latin1' | 'utf8' = 'utf8';
  /** The current line in the buffer, without its newline. */
  #start = 0;
  #stop = -1;

  constructor(files: FileSystem, fd: number, from = 0, piece = 1_048_576) {
    this.#files = files;
    this.#fd = fd;
    this.#position = from;
    this.#buffer = Buffer.allocUnsafe(piece);
  }

  /** Moves to the next line; false when no whole line is left. */
  next(): boolean {
    this.#start = this.#stop + 1;
    let from = this.#start;
    for (;;) {
      const newline = this.#buffer.indexOf(NEWLINE, from);
      if (newline !== -1 && newline < this.#filled) {
        this.#stop = newline;
        return true;
      }
      const unseen = this.#filled - this.#start;
      if (!this.#fill()) {
        this.#stop = this.#start - 1;
        return false;
      }
      from = this.#start + unseen;
    }
  }

  /** Where the line begins in the file; after the last line, where the rest begins. */
  get offset(): number {
    return this.#position + this.#start;
  }

  /** Where the next line begins in the file. */
  get end(): number {
    return this.#position + this.#stop + 1;
  }

  /** Bytes of the line without its newline. */
  get size(): number {
    return this.#stop - this.#start;
  }

  /** Whether the line is a record and its checksum fits. */
  get isSound(): boolean {
    return isSound(this.#buffer, this.#start, this.#stop);
  }

  /** Whether the line looks like an entry's record, told by one byte: a commit point's value is an object. */
  get isArray(): boolean {
    return this.#buffer[this.#start + PREFIX] === BRACKET;
  }

  /** The text of the record, without its checksum. */
  get json(): string {
    return this.#buffer.toString(this.#encoding, this.#start + PREFIX, this.#stop);
  }

  /** The record as it stands in the file. */
  get line(): string {
    return this.#buffer.toString(this.#encoding, this.#start, this.#stop);
  }

  /** The bytes after the last newline, once `next` has returned false. */
  get rest(): Buffer {
    return this.#buffer.subarray(this.#start, this.#filled);
  }

  /** Reads more behind what is held; false at the end of the file. */
  #fill(): boolean {
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#filled);
      this.#position += this.#start;
      this.#filled -= this.#start;
      this.#start = 0;
    }
    if (this.#filled === this.#buffer.length) {
      const larger = Buffer.allocUnsafe(this.#buffer.length * 2);
      this.#buffer.copy(larger, 0, 0, this.#filled);
      this.#buffer = larger;
    }
    const room = this.#buffer.length - this.#filled;
    const read = this.#files.read(this.#fd, this.#buffer, this.#filled, room, this.#position + this.#filled);
    this.#filled += read;
    this.#encoding = isAscii(this.#buffer.subarray(0, this.#filled)) ? 'latin1' : 'utf8';
    return read > 0;
  }
}

/**
 * Whether the bytes after the last newline are what an interrupted write leaves: the beginning of a record, and
 * perhaps NULs where a block was counted in the file's size but never reached the disk.
 *
 * Only such a tail may be dropped. A write goes out with its newline and is acknowledged only once synced with it,
 * so a record without a newline was never acknowledged. A record with its newline and a wrong checksum may have
 * been (a flipped bit in the last record looks just like that; Protocol-Aware Recovery, FAST'18, §3.3.3), and a
 * node that cut it off would forget what it has promised: that is damage. So is a whole record with something other
 * than a newline behind it: a write that was cut short never puts another byte there.
 */
export function isTorn(rest: Buffer): boolean {
  let length = rest.length;
  while (length > 0 && rest[length - 1] === NUL) length -= 1;
  const end = endOfRecord(rest.subarray(0, length));
  return end === undefined || end === length;
}

/**
 * Reads a whole file that may end in a torn record, and returns where its last whole record ends. `take` gets the
 * reader at each sound record; what else is wrong with the file throws.
 */
export function readRecords(
  reader: RecordReader,
  file: string,
  take: (reader: RecordReader) => void,
): number {
  while (reader.next()) {
    if (!reader.isSound) damaged(file, reader.offset, 'the checksum of this record does not fit its text');
    take(reader);
  }
  if (!isTorn(reader.rest)) damaged(file, reader.offset, 'this record is whole but for its newline');
  return reader.offset;
}
