import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Lines of the past that the prompt offers. */
const MOST = 1_000;

/** What was typed at the prompt, kept between sessions. Where it cannot be kept, the prompt does without. */
export class History {
  readonly #path: string;
  #isWritable = true;

  constructor(path: string = defaultPath()) {
    this.#path = path;
  }

  /** The latest lines, newest first, as readline wants them. */
  load(): string[] {
    try {
      const lines = readFileSync(this.#path, 'utf8').split('\n');
      return lines
        .filter(line => line !== '')
        .slice(-MOST)
        .reverse();
    } catch {
      return [];
    }
  }

  /** Readable by its owner alone, for it holds values. */
  add(line: string): void {
    if (!this.#isWritable || line.trim() === '') return;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      appendFileSync(this.#path, `${line}\n`, { mode: 0o600 });
    } catch {
      this.#isWritable = false;
    }
  }
}

function defaultPath(): string {
  const state = process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state');
  return join(state, 'raftline', 'history');
}
