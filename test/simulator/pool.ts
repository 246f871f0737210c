import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Result, Task } from './worker.ts';

const WORKER = new URL('./worker.js', import.meta.url);

/** Milliseconds of real time after which a task hangs. */
const PATIENCE = 120_000;

/** One thread of its own that carries out one task after another. */
export class Crew {
  readonly #worker: Worker;

  /** `worker`: the compiled code that it runs, the simulator's own unless told. */
  constructor(worker: URL = WORKER) {
    this.#worker = new Worker(worker);
  }

  perform(task: Task): Promise<Result> {
    return new Promise((resolve, reject) => {
      const worker = this.#worker;
      const done = (end: () => void) => {
        clearTimeout(late);
        worker.off('message', onMessage);
        worker.off('error', onError);
        end();
      };
      const onMessage = (result: Result) => done(() => resolve(result));
      const onError = (error: Error) =>
        done(() => reject(new Error(`${JSON.stringify(task)}: ${error.message}`, { cause: error })));
      const words = `not ended after ${PATIENCE / 1_000} s`;
      const late = setTimeout(() => onError(new Error(words)), PATIENCE);
      worker.on('message', onMessage);
      worker.on('error', onError);
      worker.postMessage(task);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

export const CORES = availableParallelism();

/** Carries out work for every item, on so many at a time; stops taking on new ones when `work` says so. */
export async function spread<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<'go on' | 'stop'>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let isOver = false;
  const lane = async () => {
    while (!isOver) {
      const next = iterator.next();
      if (next.done) return;
      if ((await work(next.value)) === 'stop') isOver = true;
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
}

/** Runs seeds on all cores. `onResult` says whether to go on. */
export async function runSeeds(
  seeds: Iterable<number>,
  onResult: (result: Result) => 'go on' | 'stop',
  width = CORES,
): Promise<void> {
  const crews: Crew[] = [];
  const idle: Crew[] = [];
  try {
    await spread(seeds, width, async seed => {
      const crew = idle.pop() ?? new Crew();
      if (!crews.includes(crew)) crews.push(crew);
      const result = await crew.perform({ kind: 'seed', seed });
      idle.push(crew);
      return onResult(result);
    });
  } finally {
    await Promise.all(crews.map(crew => crew.end()));
  }
}
