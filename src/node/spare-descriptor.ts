import { codeOf, type FileSystem } from './file-system.ts';

/**
 * Opens files even when connections have used up the descriptors of the process: one descriptor is held for
 * nothing, and given up for the file that a log needs. Accepting happens on the same thread, so nobody comes between.
 */
export class SpareDescriptor {
  readonly #files: FileSystem;
  /** Any path that is always there to be opened. */
  readonly #path: string;
  #fd: number | undefined;

  constructor(files: FileSystem, path: string) {
    this.#files = files;
    this.#path = path;
    this.#fd = files.open(path, 'r');
  }

  open(path: string, flags: string, mode?: number): number {
    try {
      const fd = this.#files.open(path, flags, mode);
      this.#hold();
      return fd;
    } catch (error) {
      if (!isUsedUp(error) || this.#fd === undefined) throw error;
      this.#files.close(this.#fd);
      this.#fd = undefined;
      return this.#files.open(path, flags, mode);
    }
  }

  /** Gives back what `open` gave; its descriptor is the next spare one where that is missing. */
  close(fd: number): void {
    this.#files.close(fd);
    this.#hold();
  }

  /** Lets go of the spare one too, when all is over. */
  release(): void {
    if (this.#fd !== undefined) this.#files.close(this.#fd);
    this.#fd = undefined;
  }

  #hold(): void {
    if (this.#fd !== undefined) return;
    try {
      this.#fd = this.#files.open(this.#path, 'r');
    } catch (error) {
      if (!isUsedUp(error)) throw error;
    }
  }
}

function isUsedUp(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'EMFILE' || code === 'ENFILE';
}
