import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Plant } from './plants/plant.ts';
import { CORES, Crew, spread } from './pool.ts';
import { SCENARIOS } from './scenarios.ts';
import { FAULT } from './violation.ts';
import type { Finding, Result, Task } from './worker.ts';

const DIST = fileURLToPath(new URL('../..', import.meta.url));
/** What the simulator is made of. */
const PARTS = ['src', 'stages', 'test/simulator', 'test/shared'];

/** What caught a planted mistake. */
export interface Catch {
  readonly plant: Plant;
  /** Undefined when nothing did. */
  readonly by: Task | undefined;
  readonly finding: Finding | undefined;
  /** Milliseconds of real time, and how many scenarios and seeds were run. */
  readonly took: number;
  readonly runs: number;
}

/** The compiled text with the mistake in it; throws unless there is exactly one place for it. */
export function planted(text: string, { name, file, find, replace }: Plant): string {
  const parts = text.split(find);
  if (parts.length !== 2) {
    throw new Error(`"${name}" has ${parts.length - 1} places in ${file}, not 1: mend the plant`);
  }
  return parts.join(replace);
}

/** The compiled file of a plant with the mistake in it. */
export function plantedFile(plant: Plant): string {
  return planted(readFileSync(join(DIST, plant.file), 'utf8'), plant);
}

/** Makes a copy of the compiled simulator and production code with one mistake in it, and removes it after use. */
async function withPlanted<T>(plant: Plant, use: (tree: string) => Promise<T>): Promise<T> {
  const tree = join(DIST, 'planted', `${process.pid}-${plant.name.replaceAll(/\W+/g, '-')}`);
  const { caughtBy } = plant;
  const parts = typeof caughtBy === 'string' ? PARTS : [...PARTS, dirname(caughtBy.file)];
  try {
    for (const part of parts) {
      for (const entry of readdirSync(join(DIST, part), { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !entry.name.endsWith('.js')) continue;
        const from = join(entry.parentPath, entry.name);
        const to = join(tree, from.slice(DIST.length));
        mkdirSync(dirname(to), { recursive: true });
        linkSync(from, to);
      }
    }
    linkSync(join(DIST, '..', 'package.json'), join(tree, 'package.json')); // where it reads its version from
    const file = join(tree, plant.file);
    const text = plantedFile(plant);
    unlinkSync(file); // or the text would be changed where it is linked from, too
    writeFileSync(file, text);
    return await use(tree);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

/** A check must have caught it; code that merely broke down would be noticed without any. */
function isCatch({ finding }: Result): boolean {
  return finding !== undefined && finding.property !== FAULT;
}

/** The code as it is: what fails there catches nothing. */
class Original {
  readonly #crew = new Crew();
  readonly #results = new Map<string, Promise<Result>>();
  #last: Promise<unknown> = Promise.resolve();

  async mustPass(task: Task): Promise<void> {
    const words = JSON.stringify(task);
    const { finding } = await (this.#results.get(words) ?? this.#perform(words, task));
    if (finding !== undefined) throw new Error(`without any mistake planted, ${words}: ${finding.message}`);
  }

  /** One after the other, each once. */
  #perform(words: string, task: Task): Promise<Result> {
    const result = this.#last.then(() => this.#crew.perform(task));
    this.#last = result;
    this.#results.set(words, result);
    return result;
  }

  end(): Promise<void> {
    return this.#crew.end();
  }
}

export interface Hunt {
  /** Where its own scenario does not catch a mistake: goes on with all the others, and then with so many seeds. */
  readonly others?: number;
}

/** Runs code with a mistake in it until something catches it. */
function tryPlant(plant: Plant, { others }: Hunt, original: Original): Promise<Catch> {
  return withPlanted(plant, async tree => {
    const began = performance.now();
    const crew = new Crew(pathToFileURL(join(tree, 'test/simulator/worker.js')));
    let runs = 0;
    try {
      for (const task of tasks(plant, others)) {
        runs += 1;
        const result = await crew.perform(task);
        if (!isCatch(result)) continue;
        const took = performance.now() - began;
        await original.mustPass(task);
        return { plant, by: task, finding: result.finding, took, runs };
      }
      return { plant, by: undefined, finding: undefined, took: performance.now() - began, runs };
    } finally {
      await crew.end();
    }
  });
}

function* tasks({ caughtBy }: Plant, seeds: number | undefined): Generator<Task> {
  if (typeof caughtBy === 'string') yield { kind: 'scenario', name: caughtBy };
  else yield { kind: 'test', ...caughtBy };
  if (seeds === undefined) return;
  for (const { name } of SCENARIOS) if (name !== caughtBy) yield { kind: 'scenario', name };
  for (let seed = 1; seed <= seeds; seed += 1) yield { kind: 'seed', seed };
}

/** Tries plants on all cores. */
export async function tryPlants(
  plants: readonly Plant[],
  hunt: Hunt,
  onCatch: (caught: Catch) => void,
): Promise<void> {
  const original = new Original();
  try {
    await spread(plants, CORES, async plant => {
      onCatch(await tryPlant(plant, hunt, original));
      return 'go on';
    });
  } finally {
    await original.end();
  }
}
