import { mkdirSync, rmSync } from 'node:fs';
import { Random } from '../shared/random.ts';
import { crashEverywhere } from './crash-points.ts';
import { auditDurability } from './durability.ts';
import type { FaultKind } from './faults.ts';
import { sendHostileLines } from './hostile-lines.ts';
import { drawSchedule, type Episode } from './schedule.ts';
import { CAN_MOUNT } from './small-disk.ts';
import { type Met, storm } from './storm.ts';
import { Trial } from './trial.ts';
import { Verdicts } from './verdicts.ts';
import { World, type WorldOptions } from './world.ts';

export interface RunOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly stage: number;
  /** How nodes speak to each other; over lines unless told. */
  readonly transport?: string;
  /** The folder of everything that the run writes; it stays when something was violated. */
  readonly folder: string;
  readonly say: (line: string) => void;
}

/** What a run found; what it did not do is left out. */
export interface Result {
  readonly title: string;
  readonly seed: number;
  readonly nodes: number;
  readonly milliseconds: number;
  readonly verdicts: Verdicts;
  readonly folder: string;
  /** What this machine does not allow, and what was done in its place. */
  readonly notes: readonly string[];
  readonly schedule?: readonly Episode[];
  readonly faults?: Readonly<Record<string, Met>>;
  readonly outcomes?: Readonly<Record<string, number>>;
  /** Milliseconds of the longest time without service, and of each time from a healing to service. */
  readonly longestWithout?: number;
  readonly recoveries?: readonly number[];
}

type Findings = Partial<Omit<Result, 'title' | 'seed' | 'nodes' | 'milliseconds' | 'verdicts' | 'folder'>>;

async function within(
  title: string,
  { seed, nodes, folder }: RunOptions,
  body: (verdicts: Verdicts) => Promise<Findings>,
): Promise<Result> {
  const began = performance.now();
  const verdicts = new Verdicts();
  mkdirSync(folder, { recursive: true });
  let findings: Findings = {};
  try {
    findings = await body(verdicts);
  } catch (error) {
    // What was found before is to be told in any case.
    verdicts.check('the run comes to its end', false, (error as Error).stack ?? String(error));
  }
  if (verdicts.isSound) rmSync(folder, { recursive: true, force: true });
  return {
    title,
    seed,
    nodes,
    milliseconds: performance.now() - began,
    verdicts,
    folder,
    notes: [],
    ...findings,
  };
}

/**
 * From stage 7 on a node compacts its log; after so few entries that it happens all the time. A store grows with the
 * minutes, and so do its snapshots: a node of a long run must not come to do nothing else.
 */
function compactEntries(length: number): number {
  return 1_000 + 500 * Math.floor(length / 60_000);
}

/** What a run asks of every node, which takes so many milliseconds. */
function flagsOf({ stage, transport }: RunOptions, length = 0): string[] {
  const compaction = stage >= 7 ? ['--compact-entries', String(compactEntries(length))] : [];
  return transport === undefined ? compaction : [...compaction, '--transport', transport];
}

/** A cluster with clients at work, and something that is done to it meanwhile; then what they saw is judged. */
async function trial<T>(
  options: WorldOptions,
  seed: number,
  act: (world: World, trial: Trial) => Promise<T>,
) {
  const world = await World.start(options);
  const { verdicts, folder } = options;
  let clients: Trial | undefined;
  let isSound = false;
  try {
    clients = await Trial.begin(world, seed);
    const outcome = await act(world, clients);
    await clients.end();
    const { longestWithout, recoveries, history } = clients;
    await clients.judge();
    isSound = verdicts.isSound;
    return { outcome, findings: { longestWithout, recoveries, outcomes: history.outcomes } };
  } finally {
    if (!isSound) clients?.save(folder);
    await world.stop(isSound);
  }
}

/** Faults of these kinds, for so many milliseconds. */
export function runStorm(options: RunOptions, kinds: readonly FaultKind[], length: number): Promise<Result> {
  const { seed, nodes, stage, folder, say } = options;
  return within(`faults at stage ${stage}`, options, async verdicts => {
    // The store grows as long as the run lasts, and three of its snapshots have to fit beside the log.
    const smallDisk = 128 + Math.ceil(length / 60_000) * 48;
    // From stage 8 on there are nodes that can come in.
    const spares = stage < 8 ? 0 : nodes < 5 ? 1 : 2;
    const ids = Array.from({ length: nodes + spares }, (_, at) => `n${at + 1}`);
    const schedule = drawSchedule({ seed, length, ids, kinds });
    const { outcome, findings } = await trial(
      { stage, nodes, spares, folder, verdicts, smallDisk, flags: flagsOf(options, length) },
      seed,
      (world, clients) => storm(world, clients, schedule, say),
    );
    const inMemory =
      'no small disk can be mounted here: a full one is played by a module in the node (--import)';
    return { ...findings, faults: outcome, schedule, notes: CAN_MOUNT ? [] : [inMemory] };
  });
}

/** So many hostile lines at a cluster at work. */
export function runLines(options: RunOptions, lines: number): Promise<Result> {
  const { seed, nodes, stage, folder } = options;
  return within(`${lines} hostile lines at stage ${stage}`, options, async verdicts => {
    const { outcome, findings } = await trial(
      { stage, nodes, folder, verdicts, flags: flagsOf(options) },
      seed,
      async (world, clients) => {
        const result = await sendHostileLines(world, lines, seed);
        await clients.recover('the last hostile line');
        return result;
      },
    );
    const { codes, growth } = outcome;
    const answers = Object.entries(codes).map(([code, count]) => [`line ${code}`, count] as const);
    const grown = Object.entries(growth).map(([id, mebibytes]) => `${id} ${mebibytes} MiB`);
    return {
      ...findings,
      outcomes: { ...findings.outcomes, ...Object.fromEntries(answers) },
      notes: [`memory grew by at most ${grown.join(', ')}`],
    };
  });
}

/** Whether answers leave after the fsync that they rest on. */
export function runDurability(options: RunOptions): Promise<Result> {
  const notes: string[] = [];
  return within(`durability at stage ${options.stage}`, options, async verdicts => {
    await auditDurability({ ...options, verdicts, note: words => notes.push(words) });
    return { notes };
  });
}

/** A crash at every point of the disk's work that scripted work comes to; or at so many of them, drawn by the seed. */
export function runCrashPoints(options: RunOptions, most?: number): Promise<Result> {
  return within(`crash points at stage ${options.stage}`, options, async verdicts => {
    const dice = new Random(options.seed);
    await crashEverywhere({ ...options, verdicts, dice, ...(most !== undefined && { most }) });
    return {};
  });
}
