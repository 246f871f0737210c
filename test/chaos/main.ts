import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findStage } from '../../lab/cluster.ts';
import { OPS } from '../../src/wire/ops.ts';
import { STAGES } from '../../stages/stages.ts';
import { FAULTS, type FaultKind, kindsFor } from './faults.ts';
import { reportOf } from './report.ts';
import { type Result, type RunOptions, runCrashPoints, runDurability, runLines, runStorm } from './run.ts';
import { runWithMounts } from './small-disk.ts';

const LAST = STAGES.at(-1)?.number ?? 0;
/** The first stage of which a cluster under faults can ask everything. */
const FIRST = OPS['transfer-leader'].stage;

const USAGE = `usage: npm run chaos -- [FLAGS]

Real nodes, disks and sockets, clients that contend, and faults drawn from a seed: what was acknowledged must be
there, in an order that explains what everyone saw, and service must be back within 3 s of each healing. What the
disks do is played by a module that is loaded into each node (--import), save a full one, where a small disk can be
mounted.

  --minutes N        so many minutes of faults; 2 unless told
  --seed N           the same faults at the same times as the run that printed this seed
  --nodes N          5 unless told
  --stage N          ${FIRST} or later, where nodes elect their leader; ${LAST} unless told
  --transport NAME   how nodes speak to each other: lines, unless told, or grpc
  --only KIND,…      only these kinds of faults:
${Object.entries(FAULTS)
  .map(([kind, { about }]) => `                       ${kind.padEnd(17)}${about}`)
  .join('\n')}
  --json FILE        writes the report there, too
  --help             this

Instead of faults:

  --lines N          so many hostile lines at a cluster of 3 at work
  --durability       whether answers leave after the fsync that they rest on
  --crash-points     a crash before and after each write, fsync, rename and removal of a node's files;
                     of a long row of writes to one file, at its ends and some between
  --most N           no more than N of the crash points of each kind, drawn by the seed`;

const say = (text: string) => process.stdout.write(`${text}\n`);

function numberOf(name: string, text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  const number = Number(text);
  if (Number.isFinite(number) && number >= 0 && text !== '') return number;
  throw new Error(`--${name} is a number, not ${JSON.stringify(text)}`);
}

function kindsOf(text: string | undefined, { stage, nodes }: Omit<RunOptions, 'folder'>): FaultKind[] {
  const all = kindsFor(stage, nodes);
  if (text === undefined) return all;
  return text.split(',').map(name => {
    const kind = all.find(each => each === name);
    if (kind === undefined) throw new Error(`--only ${name}: there are ${all.join(', ')}`);
    return kind;
  });
}

async function main(): Promise<number> {
  const { values: flags } = parseArgs({
    options: {
      minutes: { type: 'string' },
      seed: { type: 'string' },
      nodes: { type: 'string' },
      stage: { type: 'string' },
      transport: { type: 'string' },
      only: { type: 'string' },
      lines: { type: 'string' },
      durability: { type: 'boolean' },
      'crash-points': { type: 'boolean' },
      most: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (flags.help) {
    say(USAGE);
    return 0;
  }
  const lines = flags.lines === undefined ? undefined : numberOf('lines', flags.lines, 0);
  const plan = {
    seed: Math.floor(numberOf('seed', flags.seed, Math.random() * 2 ** 32)),
    nodes: numberOf('nodes', flags.nodes, lines === undefined ? 5 : 3),
    stage: numberOf('stage', flags.stage, LAST),
    ...(flags.transport !== undefined && { transport: flags.transport }),
    say,
  };
  findStage(plan.stage);
  const isAboutDisks = flags.durability === true || flags['crash-points'] === true;
  if (!isAboutDisks && plan.stage < FIRST) {
    throw new Error(
      `--stage ${plan.stage}: only from stage ${FIRST} on does another node lead when one is gone`,
    );
  }
  const length = numberOf('minutes', flags.minutes, 2) * 60_000;
  const most = flags.most === undefined ? undefined : numberOf('most', flags.most, 0);
  const kinds = kindsOf(flags.only, plan);
  const status = await runWithMounts();
  if (status !== undefined) return status;
  say(`chaos: seed ${plan.seed}`);
  const options = { ...plan, folder: mkdtempSync(join(tmpdir(), 'raftline-chaos-')) };
  const result = await (flags.durability
    ? runDurability(options)
    : flags['crash-points']
      ? runCrashPoints(options, most)
      : lines === undefined
        ? runStorm(options, kinds, length)
        : runLines(options, lines));
  say(`\n${reportOf(result, againBy(flags, plan.seed))}`);
  if (flags.json !== undefined) writeFileSync(flags.json, `${jsonOf(result)}\n`);
  return result.verdicts.isSound ? 0 : 1;
}

/** The flags by which the same run can be had again, as far as the machine plays along. */
function againBy({ seed: _, json: __, ...flags }: Readonly<Record<string, unknown>>, seed: number): string {
  const others = Object.entries(flags).map(([name, value]) =>
    value === true ? `--${name}` : `--${name} ${value}`,
  );
  return [`--seed ${seed}`, ...others].join(' ');
}

function jsonOf({ verdicts, ...rest }: Result): string {
  return JSON.stringify({ isSound: verdicts.isSound, ...rest, checks: verdicts.all }, null, 2);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`chaos: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 2;
}
