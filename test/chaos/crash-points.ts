import { appendFileSync, cpSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NodeProcess, StartFailure } from '../../lab/node-process.ts';
import { anyPort, areFree } from '../../lab/ports.ts';
import { encodeRecord } from '../../src/node/record.ts';
import type { Random } from '../shared/random.ts';
import { drawn, telling } from './crash-choice.ts';
import { type DiskSetup, diskFlag } from './disk-orders.ts';
import type { Verdicts } from './verdicts.ts';
import { type Answer, type Line, Wire } from './wire.ts';

export interface CrashOptions {
  readonly stage: number;
  readonly folder: string;
  readonly verdicts: Verdicts;
  /** How many points of each workload and manner are tried, drawn by these dice; all of them unless told. */
  readonly most?: number;
  readonly dice: Random;
  readonly say: (line: string) => void;
}

/** What a crash leaves, and from which state of the disk the work begins. */
interface Manner {
  readonly moment: 'before' | 'after';
  readonly isPowerCut: boolean;
}

const MANNERS: readonly Manner[] = [
  { moment: 'before', isPowerCut: false },
  { moment: 'after', isPowerCut: false },
  { moment: 'before', isPowerCut: true },
  { moment: 'after', isPowerCut: true },
];

/** One node is its own majority, and need not wait long for itself. */
const HASTE = ['--tick', '5', '--heartbeat', '10', '--election-timeout', '40'];
/** The list of nodes makes the cluster, so it stays while the port changes from one life to the next. */
const NODES = 'n1=127.0.0.1:9';
/** How large the file of ballots grows before it is replaced. */
const BALLOTS_BYTES = 65_536;
/** Bytes of a value that fills a segment soon, and how many nearly do. */
const LARGE = 500_000;
const NEARLY = 33;

/** A life of a node that is worth dying in. */
interface Workload {
  readonly name: string;
  /** Makes the directory that it begins with; none when it begins with nothing. */
  readonly prepare?: (options: CrashOptions, path: string) => Promise<void>;
  readonly steps: readonly Step[];
}

/** Changes that are asked for together; or a snapshot, at the stages that have them. */
type Step = readonly Change[] | 'snapshot';

interface Change {
  readonly key: string;
  readonly value: string;
}

const small = (name: string): Change => ({ key: `/crash/${name}`, value: `value of ${name}` });
const large = (name: string): Change => ({ key: `/crash/${name}`, value: 'x'.repeat(LARGE) });

const WORKLOADS: readonly Workload[] = [
  {
    name: 'a first life',
    steps: [
      [small('a')],
      [small('b'), small('c'), small('d')],
      'snapshot',
      [small('e')],
      [large('f')],
      'snapshot',
      [small('g')],
    ],
  },
  {
    name: 'a segment and a file of ballots that are nearly full',
    prepare: fillUp,
    steps: [[large('a'), small('b')], [small('c')], 'snapshot', [small('d')], 'snapshot', [small('e')]],
  },
];

/**
 * Kills a node before and after each write, sync, rename and removal of its files that it comes to in scripted work,
 * by the signal alone and by a loss of power; starts it again, and looks whether everything acknowledged is there.
 */
export async function crashEverywhere(options: CrashOptions): Promise<void> {
  for (const workload of WORKLOADS) {
    const template = join(options.folder, 'template');
    rmSync(template, { recursive: true, force: true });
    await workload.prepare?.(options, template);
    const all = await pointsOf(options, workload, template);
    const runs = MANNERS.map(manner =>
      crashAtEach(options, workload, manner, template, drawn(all, options.dice, options.most)),
    );
    const counts = await Promise.all(runs);
    options.say(`${workload.name}: ${counts.join(' + ')} crashes, at ${all.length} points`);
  }
}

/** Has the work done without a crash, and looks at what it asks of the disk. */
async function pointsOf(
  { stage, folder, dice }: CrashOptions,
  { steps }: Workload,
  template: string,
): Promise<number[]> {
  const path = join(folder, 'whole');
  const points = `${path}.points`;
  copy(template, path);
  await life(await soleNode(stage, path, { points }), stepsAt(stage, steps), []);
  const operations = readFileSync(points, 'utf8').trimEnd().split('\n');
  rmSync(path, { recursive: true });
  rmSync(points);
  const names = operations.map(line => line.slice(line.indexOf(' ') + 1));
  return telling(names, dice);
}

function copy(template: string, path: string): void {
  if (existsSync(template)) cpSync(template, path, { recursive: true });
}

/** Crashes at each of these points, as far as the work comes to them; how many crashes it were. */
async function crashAtEach(
  options: CrashOptions,
  workload: Workload,
  manner: Manner,
  template: string,
  points: Iterable<number>,
): Promise<number> {
  let count = 0;
  for (const point of points) {
    const name = `${manner.moment}-${manner.isPowerCut ? 'power' : 'kill'}-${point}`;
    const path = join(options.folder, name);
    copy(template, path);
    const hasCrashed = await crashOnce(options, workload, manner, point, path);
    if (options.verdicts.isSound) rmSync(path, { recursive: true, force: true });
    if (!hasCrashed) break;
    count += 1;
  }
  return count;
}

async function crashOnce(
  { stage, verdicts }: CrashOptions,
  { name, steps }: Workload,
  { moment, isPowerCut }: Manner,
  point: number,
  path: string,
): Promise<boolean> {
  const points = `${path}.points`;
  const crash = { crashAt: point, moment, points, ...(isPowerCut && { powerCut: point * 7_919 }) };
  const node = await soleNode(stage, path, crash);
  const acknowledged: Change[] = [];
  await life(node, stepsAt(stage, steps), acknowledged);
  const where = `${name}: ${moment} ${lastLine(points)}${isPowerCut ? ', the power cut' : ''} (${path})`;
  rmSync(points, { force: true });
  if (node.exit?.signal !== 'SIGKILL') {
    const words = `${where}: it ended with ${node.exit?.status}: ${node.stderr.join('\n')}`;
    verdicts.check('the work is done when nothing crashes', node.exit?.status === 0, words);
    return false;
  }
  const again = await soleNode(stage, path);
  try {
    await again.start();
  } catch (error) {
    verdicts.check('every start after a crash works', false, `${where}: ${(error as Error).message}`);
    return true;
  }
  verdicts.check('every start after a crash works', true, '');
  const wire = new Wire(again.address);
  for (const change of acknowledged) {
    const answer = await persistently(wire, { op: 'get', key: change.key });
    const isThere = typeof answer !== 'string' && answer.value === change.value;
    verdicts.check('no crash loses what was acknowledged', isThere, `${where}: ${change.key} is not there`);
  }
  const answer = await persistently(wire, { op: 'set', key: '/crash/again', value: 'again' });
  const isServed = typeof answer !== 'string' && answer.ok;
  verdicts.check('a node serves after a crash', isServed, `${where}: ${JSON.stringify(answer)}`);
  wire.close();
  await again.stop();
  verdicts.check(
    'a node stops well after a crash',
    again.exit?.status === 0,
    `${where}: ${again.stderr.join('\n')}`,
  );
  return true;
}

function stepsAt(stage: number, steps: readonly Step[]): readonly Step[] {
  return steps.filter(step => stage >= 7 || step !== 'snapshot');
}

/** Starts a node, has it do its work and stop; whatever it does not live to do is left undone. */
async function life(node: NodeProcess, steps: readonly Step[], acknowledged: Change[]): Promise<void> {
  try {
    await node.start();
  } catch (error) {
    if (error instanceof StartFailure) return;
    throw error;
  }
  const wire = new Wire(node.address);
  for (const step of steps) {
    if (step === 'snapshot') {
      await persistently(wire, { op: 'snapshot' }, node);
      continue;
    }
    const answers = await Promise.all(step.map(change => persistently(wire, { op: 'set', ...change }, node)));
    for (const [at, change] of step.entries()) {
      const answer = answers[at];
      if (typeof answer === 'object' && answer.ok) acknowledged.push(change);
    }
  }
  wire.close();
  await node.stop();
}

/** Asks until there is a leader to answer, while the node lives. */
async function persistently(wire: Wire, request: Line, node?: NodeProcess): Promise<Answer> {
  for (const end = performance.now() + 20_000; ; ) {
    const answer = await wire.ask(request);
    const isRetry =
      typeof answer === 'string' ? answer === 'unsent' : !answer.ok && answer.error?.retry === true;
    if (!isRetry || performance.now() > end || (node !== undefined && node.pid === undefined)) return answer;
    await new Promise(resolve => setTimeout(resolve, 10));
  }
}

/** A node alone on a directory, with a disk that may crash. */
export async function soleNode(
  stage: number,
  path: string,
  crash: Partial<DiskSetup> = {},
): Promise<NodeProcess> {
  let port = anyPort();
  while (!(await areFree([port]))) port = anyPort();
  const flags = ['--stage', String(stage), '--data', path, '--nodes', NODES, ...HASTE];
  const nodeFlags = [diskFlag({ data: path, ...crash })];
  return new NodeProcess({ id: 'n1', address: `127.0.0.1:${port}` }, { flags, nodeFlags });
}

/** A directory in which the last segment and the file of ballots are about to be full. */
async function fillUp({ stage }: CrashOptions, path: string): Promise<void> {
  const node = await soleNode(stage, path);
  await life(
    node,
    Array.from({ length: NEARLY }, () => [large('full')]),
    [],
  );
  const vote = join(path, 'vote.ndjson');
  const lines = readFileSync(vote, 'utf8').trimEnd().split('\n');
  let { term } = JSON.parse(lines.at(-1)?.slice(9) ?? '') as { term: number };
  for (let size = statSync(vote).size; ; ) {
    term += 1;
    const line = `${encodeRecord({ term, vote: 'n1' })}\n`;
    size += line.length;
    if (size > BALLOTS_BYTES) break;
    appendFileSync(vote, line);
  }
}

function lastLine(path: string): string {
  return existsSync(path)
    ? (readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) ?? '')
    : 'its first step';
}
