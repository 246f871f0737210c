import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Seen, Task, Way } from './load.ts';

/** What a load generator is asked: to measure, or to write all keys so that they can be read. */
export type Order = { readonly run: Task } | { readonly prepare: Task };

/** What it answers. */
export type Answer = { readonly seen?: Seen } | { readonly error: string };

/** The load generators: a process for each way, so that no client works on in the traces that another has left. */
export class Generators {
  readonly #processes = new Map<Way, ChildProcess>();

  async run(task: Task): Promise<Seen> {
    const answer = await this.#ask(task.way, { run: task });
    if (answer === undefined) throw new Error('the load generator saw nothing');
    return answer;
  }

  async prepare(task: Task): Promise<void> {
    await this.#ask(task.way, { prepare: task });
  }

  async stop(): Promise<void> {
    for (const child of this.#processes.values()) {
      if (!child.connected) continue;
      const gone = once(child, 'exit');
      child.disconnect();
      await gone;
    }
  }

  /** One answer to one order; fails when the process ends instead. */
  #ask(way: Way, order: Order): Promise<Seen | undefined> {
    const child = this.#process(way);
    return new Promise((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`the load generator ended with ${code}`));
      child.once('exit', ended);
      child.once('message', (answer: Answer) => {
        child.off('exit', ended);
        if ('error' in answer) reject(new Error(answer.error));
        else resolve(answer.seen);
      });
      child.send(order);
    });
  }

  #process(way: Way): ChildProcess {
    const known = this.#processes.get(way);
    if (known !== undefined) return known;
    const child = fork(fileURLToPath(new URL('load.js', import.meta.url)));
    this.#processes.set(way, child);
    return child;
  }
}
