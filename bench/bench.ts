import { rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { describeDisk, makeDirectory } from './disk.ts';
import { findEtcd } from './etcd.ts';
import { FIGURES, type Figure, type MeasuredFigure } from './figures.ts';
import { type Measurement, measureTable, type Plan } from './measure.ts';

import { type Measured, markdown, printFigure, printLoad, printRemarks } from './report.ts';
import { scale } from './scale.ts';

import { allTables, type Table } from './tables.ts';
import { transports } from './transports.ts';

const FULL: Plan = { rounds: 5, warmUp: 150, duration: 600, isQuick: false };
const QUICK: Plan = { rounds: 3, warmUp: 50, duration: 150, isQuick: true };
/** Milliseconds that a measurement takes beside its plan, and a subject to start and to stop: for the forecast alone. */
const OVERHEAD = 60;
const START = 2_500;

const USAGE = `usage: npm run bench -- [--quick] [--table NAME,…] [--only WORD,…] [--etcd PATH] [--directory DIR]
                            [--json FILE] [--markdown FILE]
       npm run bench -- --scale [--keys N] [--directory DIR]

Measures raftline beside a bare echo server and, where it is installed, etcd: each server and each node a process of its
own, with fsync on a real disk, all measured in turns in one run, since the machine is never the same twice. What counts
is the ratio: the median of the rounds, with the least and the most.

  --transports     lines beside gRPC instead, of clients and between nodes: bytes and rates
  --quick          a look, with short and few rounds
  --table NAME,…   only these: limit, etcd, open, values, nodes, start, replay
  --only WORD,…    only rows whose name contains one of these words, and those that they are compared with
  --etcd PATH      the etcd to compare with, where it is not the one on the path
  --directory DIR  where the data goes, for the time of the run; on a real disk, or no fsync means anything
  --scale          something else: what a large store costs to restart, to snapshot and to send; a few minutes
  --keys N         how many keys it has; a million unless told
  --json FILE      writes everything measured there, too
  --markdown FILE  writes the tables there, as Markdown
`;

interface Flags {
  readonly tables: readonly string[] | undefined;
  readonly only: readonly string[] | undefined;
}

/** The tables and rows that were asked for. */
function chosen(all: readonly Table[], { tables, only }: Flags): Table[] {
  const names = [...all, ...FIGURES].map(({ name }) => name);
  for (const name of tables ?? []) {
    if (!names.includes(name)) throw new Error(`--table ${name}: there are ${names.join(', ')}`);
  }
  return all
    .filter(({ name }) => tables === undefined || tables.includes(name))
    .map(table => ({ ...table, rows: rowsWith(table, only) }))
    .filter(({ rows }) => rows.length > 0);
}

function rowsWith({ rows }: Table, only: readonly string[] | undefined): Table['rows'] {
  if (only === undefined) return rows;
  const named = rows.filter(({ name }) => only.some(word => name.includes(word)));
  const needed = new Set(named.flatMap(row => [row.name, row.against, row.paceOf]));
  return rows.filter(({ name }) => needed.has(name));
}

/** The figures that were asked for, which have no rows to choose from. */
function chosenFigures({ tables, only }: Flags): readonly Figure[] {
  return only === undefined ? FIGURES.filter(({ name }) => tables?.includes(name) ?? true) : [];
}

/** Seconds that it will take. */
function forecast(
  tables: readonly Table[],
  figures: readonly Figure[],
  { rounds, warmUp, duration, isQuick }: Plan,
): number {
  const times = tables.map(({ rows, loads }) => {
    const measurements = loads.reduce(
      (sum, { share }) => sum + rows.length * (rounds + (share === undefined ? 0 : 2)),
      0,
    );
    const subjects = new Set(rows.map(({ subject }) => subject.name)).size;
    return measurements * (warmUp + duration + OVERHEAD) + subjects * START;
  });
  const others = figures.map(({ takes }) => takes(isQuick));
  return [...times, ...others].reduce((sum, time) => sum + time, 0) / 1_000;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean' },
      table: { type: 'string' },
      only: { type: 'string' },
      etcd: { type: 'string' },
      directory: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'string' },
      scale: { type: 'boolean' },
      transports: { type: 'boolean' },
      keys: { type: 'string', default: '1000000' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  if (values.scale) {
    await scale({ keys: Number(values.keys), directory: values.directory });
    return;
  }
  if (values.transports) {
    await transports({ isQuick: values.quick === true, directory: values.directory });
    return;
  }
  const etcd = findEtcd(values.etcd);
  if (etcd === undefined && values.etcd !== undefined)
    throw new Error(`--etcd ${values.etcd}: it is no etcd`);
  const flags = { tables: values.table?.split(','), only: values.only?.split(',') };
  const tables = chosen(allTables(etcd), flags);
  const figures = chosenFigures(flags);
  const plan = values.quick ? QUICK : FULL;
  const directory = makeDirectory(values.directory);
  const clean = () => rmSync(directory, { recursive: true, force: true });
  process.on('exit', clean);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

  const processors = cpus();
  const machine = [
    `Node ${process.version} on ${process.platform}, ${processors.length} × ${processors[0]?.model.trim()}`,
    describeDisk(directory),
    etcd === undefined ? 'no etcd here: nothing is compared with it' : `etcd ${etcd.version}`,
    `medians of ${plan.rounds} rounds of ${plan.duration} ms`,
  ];
  console.log(machine.join('\n'));
  const minutes = forecast(tables, figures, plan) / 60;
  console.log(`about ${minutes < 1 ? '1 minute' : `${Math.ceil(minutes)} minutes`}`);

  const all: Measured[] = [];
  for (const table of tables) {
    console.log(`\n\n${table.title}\n${table.about}`);
    const measurements: Measurement[] = [];
    await measureTable(table, plan, `${directory}/${table.name}`, (load, measured) => {
      printLoad(load, measured);
      measurements.push(...measured);
    });
    all.push({ table, measurements });
  }
  const measured: MeasuredFigure[] = [];
  for (const figure of figures) {
    console.log(`\n\n${figure.title}\n${figure.about}`);
    const lines = await figure.measure(`${directory}/${figure.name}`, plan.isQuick);
    for (const line of lines) printFigure(line);
    measured.push({ figure, lines });
  }
  printRemarks(all);
  if (values.json !== undefined) {
    const results = all.map(({ table: { name, title }, measurements }) => ({ name, title, measurements }));
    const figuresToo = measured.map(({ figure: { name, title }, lines }) => ({ name, title, lines }));
    const everything = { machine, plan, tables: results, figures: figuresToo };
    writeFileSync(values.json, `${JSON.stringify(everything, null, 2)}\n`);
  }
  if (values.markdown !== undefined) {
    writeFileSync(values.markdown, markdown(all, measured, `${machine.join('; ')}.`));
  }
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 2;
}
