import { constants, setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { playScenario } from './scenarios.ts';
import { type Run, simulate } from './simulate.ts';
import { runUnitTest, type UnitTest } from './unit-test.ts';

/** What a worker is asked to do. */
export type Task =
  | { readonly kind: 'seed'; readonly seed: number; readonly duration?: number }
  | { readonly kind: 'scenario'; readonly name: string }
  | ({ readonly kind: 'test' } & UnitTest);

/** What was violated, as it travels between threads. */
export interface Finding {
  readonly property: string;
  readonly message: string;
}

export interface Result {
  readonly task: Task;
  readonly finding: Finding | undefined;
  /** Milliseconds of real time that it took. */
  readonly took: number;
  readonly run: Omit<Run, 'violation'> | undefined;
}

async function perform(task: Task): Promise<Omit<Result, 'took'>> {
  switch (task.kind) {
    case 'scenario': {
      const violation = playScenario(task.name);
      return { task, finding: violation && findingOf(violation), run: undefined };
    }
    case 'test': {
      const message = await runUnitTest(task);
      const finding = message === undefined ? undefined : { property: task.title, message };
      return { task, finding, run: undefined };
    }
    case 'seed': {
      const { seed, duration } = task;
      const { violation, ...run } = simulate(seed, duration === undefined ? {} : { duration });
      return { task, finding: violation && findingOf(violation), run };
    }
  }
}

function findingOf({ property, message }: Finding): Finding {
  return { property, message };
}

// Simulated time has no hurry: whatever runs beside it and reads a real clock goes first. Elsewhere than on Linux a
// thread has no priority of its own.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_LOW);

parentPort?.on('message', async (task: Task) => {
  const began = performance.now();
  const result = await perform(task);
  parentPort?.postMessage({ ...result, took: performance.now() - began } satisfies Result);
});
