import { type Done, type FileSystem, isNoSpace } from './file-system.ts';

/** A file that grows by whole records, and knows how much of it has reached the disk. */
export class AppendFile {
  readonly path: string;
  readonly fd: number;
  readonly #files: FileSystem;
  #size: number;
  #durable: number;

  /** `size`: where the last whole record ends; everything up to there must be durable. */
  constructor(files: FileSystem, path: string, fd: number, size: number) {
    this.#files = files;
    this.path = path;
    this.fd = fd;
    this.#size = size;
    this.#durable = size;
  }

  get size(): number {
    return this.#size;
  }

  /** How many bytes from the beginning are on the disk for certain. */
  get durable(): number {
    return this.#durable;
  }

  /** Writes lines at the end; false, with the file as it was, when the disk has no room for them. */
  append(lines: string): boolean {
    const bytes = Buffer.from(lines);
    let written = 0;
    try {
      while (written < bytes.length) {
        const left = bytes.length - written;
        written += this.#files.write(this.fd, bytes, written, left, this.#size + written);
      }
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      if (written > 0) this.#files.truncate(this.fd, this.#size);
      return false;
    }
    this.#size += bytes.length;
    return true;
  }

  /** Makes durable what has been written until now; what is written meanwhile is not counted. */
  sync(done: Done): void {
    const size = this.#size;
    this.#files.fdatasync(this.fd, error => {
      if (!error) this.#durable = size;
      done(error);
    });
  }
}
