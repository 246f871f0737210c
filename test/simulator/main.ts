import { parseArgs } from 'node:util';
import { tryPlants } from './planting.ts';
import { PLANTS } from './plants.ts';
import { CORES, runSeeds } from './pool.ts';
import { playScenario, SCENARIOS } from './scenarios.ts';
import { simulate } from './simulate.ts';
import { describeFinding, nameOf, Summary } from './summary.ts';
import type { Violation } from './violation.ts';

const USAGE = `usage: npm run sim -- [FLAGS]
  (none)                     300 seeds of a simulated minute each, on all cores
  --seeds N [--from SEED]    so many seeds
  --seed N [--trace]         one seed; with its whole history, line by line
  --scenarios                every scenario: schedules of faults that are written as code
  --scenario NAME [--trace]  one of them
  --planted                  plants mistakes in the production code, and shows what catches each
  --plant WORDS              the same for those with these words in their name
  --help                     this`;

/** Seeds that are tried on a planted mistake which no scenario catches. */
const PLANT_SEEDS = 150;

const say = (text: string) => process.stdout.write(`${text}\n`);

/** Seeds on all cores, with a line of progress now and then; the status to exit with. */
async function runMany(count: number, from: number): Promise<number> {
  const summary = new Summary();
  const began = performance.now();
  let saidAt = began;
  const seeds = Array.from({ length: count }, (_, at) => from + at);
  await runSeeds(seeds, result => {
    summary.add(result);
    if (result.finding !== undefined) say(describeFinding(result));
    if (performance.now() - saidAt > 5_000) {
      saidAt = performance.now();
      say(`${summary.seeds} of ${count} seeds after ${((saidAt - began) / 1_000).toFixed(0)} s`);
    }
    return summary.findings.length < 10 ? 'go on' : 'stop';
  });
  say(summary.text);
  say(`${((performance.now() - began) / 1_000).toFixed(0)} s on ${CORES} cores`);
  return summary.findings.length === 0 ? 0 : 1;
}

function report(what: string, violation: Violation | undefined): number {
  say(violation === undefined ? `${what}: nothing was violated` : `FAILED ${what}: ${violation.message}`);
  return violation === undefined ? 0 : 1;
}

/** All scenarios; the status to exit with. */
function runScenarios(): number {
  return Math.max(...SCENARIOS.map(({ name }) => report(name, playScenario(name))));
}

async function runPlanted(words: string): Promise<number> {
  const plants = PLANTS.filter(plant => plant.name.includes(words));
  let missed = 0;
  await tryPlants(plants, { others: PLANT_SEEDS }, ({ plant, by, finding, took, runs }) => {
    if (by === undefined) missed += 1;
    const catcher = by === undefined ? `NOT CAUGHT in ${runs} runs` : nameOf(by);
    say(`${plant.name}\n  ${(took / 1_000).toFixed(1)} s  ${catcher}: ${finding?.property ?? ''}`);
  });
  say(`${plants.length - missed} of ${plants.length} planted mistakes caught`);
  return missed === 0 ? 0 : 1;
}

/** The number of a flag; undefined where it was not given. */
function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || /^\d{1,15}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new Error(`a seed is a number from 0, not ${text}`);
}

function main(): Promise<number> | number {
  const { values: flags } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      from: { type: 'string' },
      trace: { type: 'boolean' },
      scenario: { type: 'string' },
      scenarios: { type: 'boolean' },
      planted: { type: 'boolean' },
      plant: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (flags.help) {
    say(USAGE);
    return 0;
  }
  const trace = flags.trace ? say : undefined;
  if (flags.planted || flags.plant !== undefined) return runPlanted(flags.plant ?? '');
  if (flags.scenarios) return runScenarios();
  if (flags.scenario !== undefined) return report(flags.scenario, playScenario(flags.scenario, trace));
  const seed = numberOf(flags.seed);
  if (seed === undefined) return runMany(numberOf(flags.seeds) ?? 300, numberOf(flags.from) ?? 1);
  return report(`seed ${seed}`, simulate(seed, trace === undefined ? {} : { trace }).violation);
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage =
    error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  process.stderr.write(
    isUsage ? `${error.message}\n${USAGE}\n` : `${error instanceof Error ? error.stack : error}\n`,
  );
  process.exitCode = 2;
}
