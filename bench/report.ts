import type { FigureLine, MeasuredFigure } from './figures.ts';
import type { Measurement, Spread } from './measure.ts';
import type { Load, Table } from './tables.ts';

/** A table with what was measured for it. */
export interface Measured {
  readonly table: Table;
  readonly measurements: readonly Measurement[];
}

/** A load generator that takes more of a processor than this may have measured itself. */
const TOO_BUSY = 0.95;

const COLUMNS: readonly (readonly [string, number])[] = [
  ['', -30],
  ['ratio', 8],
  ['spread', 15],
  ['goal', 8],
  ['ops/s', 10],
  ['p50 ms', 9],
  ['p99 ms', 9],
  ['p99.9', 9],
  ['servers', 9],
  ['load', 8],
];

const line = (cells: readonly string[]): string =>
  COLUMNS.map(([, width], at) => {
    const cell = cells[at] ?? '';
    return width < 0 ? cell.padEnd(-width) : cell.padStart(width);
  }).join('');

const percent = (share: number) => (Number.isNaN(share) ? '' : `${Math.round(share * 100)} %`);
const count = (number: number) => Math.round(number).toLocaleString('en');

function ratio(number: number): string {
  return number.toFixed(number < 1 ? 2 : 1);
}

const range = ({ least, most }: Spread) => `${ratio(least)}…${ratio(most)}`;

/** How a load comes, in words. */
function describeLoad({ callers, depth, share }: Load): string {
  if (share !== undefined) return `${callers} callers, at a rate`;
  if (depth > 1) return `${callers} × ${depth} pipelined`;
  return `${callers} caller${callers === 1 ? '' : 's'}`;
}

/** What was measured under one load, for a terminal. */
export function printLoad(load: Load, measurements: readonly Measurement[]): void {
  console.log(`\n${line([describeLoad(load), ...COLUMNS.slice(1).map(([title]) => title)])}`);
  for (const measurement of measurements) console.log(line(cells(measurement)));
}

function cells(measured: Measurement): string[] {
  const { row, opsPerSecond, p50, p99, p999, serverCpu, loadCpu, goal } = measured;
  const isMissed = goal !== undefined && (measured.ratio?.median ?? 0) < goal;
  return [
    row,
    measured.ratio === undefined ? '' : `${ratio(measured.ratio.median)} ×`,
    measured.ratio === undefined ? '' : range(measured.ratio),
    goal === undefined ? '' : `${goal}${isMissed ? ' !' : '  '}`,
    count(opsPerSecond.median),
    p50.toFixed(3),
    p99.toFixed(3),
    p999.toFixed(3),
    percent(serverCpu),
    `${percent(loadCpu)}${loadCpu > TOO_BUSY ? ' !' : '  '}`,
  ];
}

/** What the marks in a table mean, where there are any. */
export function printRemarks(all: readonly Measured[]): void {
  const measurements = all.flatMap(({ measurements: each }) => each);
  if (measurements.some(({ loadCpu }) => loadCpu > TOO_BUSY)) {
    console.log(
      '\n! behind load: the load generator had no time to spare; the server may be faster than this',
    );
  }
  if (measurements.some(({ goal, ratio: reached }) => goal !== undefined && (reached?.median ?? 0) < goal)) {
    console.log('\n! behind a goal: it was not reached in this run');
  }
}

/** One line of a figure, for a terminal. */
export function printFigure(measured: FigureLine): void {
  const value = figure(measured, measured.value.median).padStart(14);
  console.log(`${measured.name.padEnd(30)}${value}  ${figureRange(measured)}`);
}

function figure({ unit, digits }: FigureLine, value: number): string {
  return `${value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${unit}`;
}

function figureRange(measured: FigureLine): string {
  const { value, goal } = measured;
  const words = `(${figure(measured, value.least)} … ${figure(measured, value.most)})`;
  return goal === undefined ? words : `${words}, goal ${goal}`;
}

/** The tables as the README has them. */
export function markdown(all: readonly Measured[], figures: readonly MeasuredFigure[], head: string): string {
  return [head, ...all.map(tableInMarkdown), ...figures.map(figureInMarkdown)].join('\n\n').concat('\n');
}

function figureInMarkdown({ figure: { title, about }, lines }: MeasuredFigure): string {
  const rows = lines.map(
    measured =>
      `| ${measured.name} | **${figure(measured, measured.value.median)}** ${figureRange(measured)} |`,
  );
  return [`### ${title}\n\n${about}\n`, '| | |', '|---|---|', ...rows].join('\n');
}

function tableInMarkdown({ table, measurements }: Measured): string {
  const title = `### ${table.title}\n\n${table.about}`;
  return table.shows === 'latency'
    ? `${title}\n\n${latencies(measurements)}`
    : `${title}\n\n${ratios(table, measurements)}`;
}

function ratios({ rows, loads }: Table, measurements: readonly Measurement[]): string {
  const of = (row: string, load: Load) =>
    measurements.find(m => m.row === row && m.callers === load.callers && m.depth === load.depth);
  return [
    `| | ${loads.map(describeLoad).join(' | ')} |`,
    `|---|${loads.map(() => '---|').join('')}`,
    ...rows.map(({ name }) => `| ${name} | ${loads.map(load => cell(of(name, load))).join(' | ')} |`),
  ].join('\n');
}

function cell(measured: Measurement | undefined): string {
  if (measured === undefined) return '';
  const rate = `${count(measured.opsPerSecond.median)}/s, ${measured.p50.toPrecision(2)} ms`;
  if (measured.ratio === undefined) return rate;
  return `**${ratio(measured.ratio.median)} ×** (${range(measured.ratio)})<br>${rate}`;
}

function latencies(measurements: readonly Measurement[]): string {
  return [
    '| | requests/s | p50 ms | p99 ms | p99.9 ms |',
    '|---|---|---|---|---|',
    ...measurements.map(({ row, opsPerSecond, p50, p99, p999 }) => {
      const times = [p50, p99, p999].map(time => time.toPrecision(2)).join(' | ');
      return `| ${row} | ${count(opsPerSecond.median)} | ${times} |`;
    }),
  ].join('\n');
}
