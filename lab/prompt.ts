import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import split2 from 'split2';
import type { Session } from './session.ts';

/** Where the commands come from, and where what they say goes. */
export interface Prompt {
  /** Prints something that comes of itself, without spoiling a line that is being typed. */
  say(text: string): void;
  /** Takes commands until somebody wants to end; resolves then. */
  run(session: Session): Promise<void>;
  /** Takes no more commands. */
  close(): void;
}

/** The prompt that fits what standard input is. */
export function openPrompt(): Prompt {
  return process.stdin.isTTY && process.stdout.isTTY && isForeground() ? new Terminal() : new Script();
}

/** Lines with history and completion. Ctrl-C drops the line that is being typed; on an empty one it ends the lab. */
class Terminal implements Prompt {
  #session: Session | undefined;
  readonly #lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    historySize: 1_000,
    removeHistoryDuplicates: true,
    completer: (line: string) => this.#session?.complete(line) ?? [[], line],
  });
  #isBusy = true;

  say(text: string): void {
    if (!this.#isBusy) process.stdout.write('\r\x1b[K');
    console.log(text);
    if (!this.#isBusy) this.#lines.prompt(true);
  }

  async run(session: Session): Promise<void> {
    this.#session = session;
    const ended = new Promise<false>(resolve => {
      this.#lines.on('close', () => resolve(false));
    });
    this.#lines.on('SIGINT', () => this.#interrupt());
    const typed: string[] = [];
    let wake = () => {};
    this.#lines.on('line', line => {
      typed.push(line);
      wake();
    });
    while (!session.isOver) {
      this.#lines.setPrompt(session.prompt);
      if (typed.length === 0) {
        this.#isBusy = false;
        this.#lines.prompt();
        const isThere = await Promise.race([
          ended,
          new Promise<true>(resolve => {
            wake = () => resolve(true);
          }),
        ]);
        if (!isThere) break;
      }
      this.#isBusy = true;
      const answer = await Promise.race([session.execute(typed.shift() ?? ''), ended]);
      if (answer === false) break;
      if (answer !== '') console.log(answer);
    }
  }

  #interrupt(): void {
    if (this.#lines.line === '' || this.#isBusy) {
      this.#lines.close();
      return;
    }
    console.log('^C');
    this.#lines.write(null, { ctrl: true, name: 'e' });
    this.#lines.write(null, { ctrl: true, name: 'u' });
    this.#lines.prompt();
  }

  close(): void {
    this.#isBusy = true;
    this.#lines.close();
  }
}

/** Commands from a pipe or a file, one after the other. When they end without `quit`, the cluster runs on. */
class Script implements Prompt {
  readonly #lines = split2('\n');

  say(text: string): void {
    console.log(text);
  }

  async run(session: Session): Promise<void> {
    // Reading a terminal from the background would stop us, so there it stays unread.
    if (!process.stdin.isTTY) {
      process.stdin.on('error', () => this.#lines.end());
      process.stdin.pipe(this.#lines);
      for await (const line of this.#lines) {
        const answer = await session.execute(String(line));
        if (answer !== '') console.log(answer);
        if (session.isOver) return;
      }
    }
    await new Promise<never>(() => {});
  }

  close(): void {
    process.stdin.destroy();
  }
}

/** Whether a terminal listens to us. Where the system does not tell in a file, we take it so. */
function isForeground(): boolean {
  try {
    // After the name in parentheses: state, parent, process group, session, terminal, the terminal's group.
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return fields[2] === fields[5];
  } catch {
    return true;
  }
}
