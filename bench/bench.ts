import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { type Measurement, measure, type Plan, type Shape } from './measure.ts';
import { SUBJECTS } from './subjects.ts';

const USAGE = `usage: npm run bench -- [--quick] [--json FILE] [--only WORD]

Measures the servers of raftline beside the bare limit: a server on the same platform that parses a line of JSON,
writes it back as its reply, and does nothing else. All are measured in one run, in turns, since the machine is never the same
twice; what counts is the ratio. Takes about 80 seconds.

  --quick      a look, in about 10 seconds
  --json FILE  writes the measurements there, too
  --only WORD  only servers whose name contains it, beside the limit
`;

const SHAPES: readonly Shape[] = [1, 32].flatMap(depth =>
  [1, 16, 64].map(connections => ({ connections, depth })),
);
const FULL: Plan = { shapes: SHAPES, rounds: 5, warmUp: 100, duration: 500 };
const QUICK: Plan = { shapes: SHAPES, rounds: 5, warmUp: 20, duration: 50 };

const COLUMNS: readonly (readonly [string, number])[] = [
  ['server', -14],
  ['ops/s', 9],
  ['spread', 12],
  ['p50 ms', 8],
  ['p99 ms', 8],
  ['× echo', 8],
  ['server cpu', 12],
  ['load cpu', 10],
];

const row = (cells: readonly string[]): string =>
  COLUMNS.map(([, width], at) => {
    const cell = cells[at] ?? '';
    return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
  }).join('');

const percent = (share: number) => `${Math.round(share * 100)} %`;

function cells(measurement: Measurement): string[] {
  const { name, opsPerSecond, least, most, p50, p99, ratio, serverCpu, loadCpu } = measurement;
  return [
    name,
    Math.round(opsPerSecond).toLocaleString('en'),
    `${Math.round((least / opsPerSecond - 1) * 100)}…+${Math.round((most / opsPerSecond - 1) * 100)} %`,
    p50.toFixed(3),
    p99.toFixed(3),
    ratio.toFixed(2),
    percent(serverCpu),
    // A load generator without time to spare would have measured itself.
    `${percent(loadCpu)}${loadCpu > 0.95 ? ' !' : ''}`,
  ];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean' },
      json: { type: 'string' },
      only: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const { only = '' } = values;
  const subjects = SUBJECTS.filter(({ name }, at) => at === 0 || name.includes(only));
  const plan = values.quick ? QUICK : FULL;
  console.log(`Node ${process.version}, ${cpus().length} processors, ${plan.rounds} rounds, medians`);
  const all: Measurement[] = [];
  await measure(subjects, plan, measurements => {
    const [{ connections, depth } = { connections: 0, depth: 0 }] = measurements;
    const loop = depth === 1 ? 'one request at a time' : `${depth} requests under way`;
    console.log(`\n${connections} connection${connections === 1 ? '' : 's'}, ${loop} on each`);
    console.log(row(COLUMNS.map(([title]) => title)));
    for (const measurement of measurements) console.log(row(cells(measurement)));
    all.push(...measurements);
  });
  if (all.some(({ loadCpu }) => loadCpu > 0.95)) {
    console.log('\n! the load generator was at its own limit there: the server may be faster than this');
  }
  if (values.json !== undefined) {
    const { version, platform, arch } = process;
    const machine = { node: version, platform, arch, processors: cpus().map(({ model }) => model) };
    writeFileSync(values.json, `${JSON.stringify({ machine, plan, measurements: all }, null, 2)}\n`);
  }
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 2;
}
