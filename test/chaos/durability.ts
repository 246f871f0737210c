import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { StartFailure } from '../../lab/node-process.ts';
import { OPS } from '../../src/wire/ops.ts';
import { Audit, checkAcknowledgements, type Times } from './audit.ts';
import { soleNode } from './crash-points.ts';
import type { TraceEvent } from './disk-orders.ts';
import { readTrace } from './node-files.ts';
import { canTrace, Strace } from './strace.ts';
import type { Verdicts } from './verdicts.ts';
import { type Answer, Wire } from './wire.ts';
import { World } from './world.ts';

/** Milliseconds that a sync is made to take. */
const SLOW = 200;
/** How much less a timer may measure than the one that it is compared with. */
const BLUR = 2;

export interface DurabilityOptions {
  readonly stage: number;
  readonly folder: string;
  readonly verdicts: Verdicts;
  readonly say: (line: string) => void;
  /** Is told what cannot be done on this machine. */
  readonly note: (words: string) => void;
}

/** All that is known of when an answer may leave. */
export async function auditDurability(options: DurabilityOptions): Promise<void> {
  for (const nodes of [1, 3]) {
    await slowSyncs(options, nodes);
    await failingSyncs(options, nodes);
  }
  await failingFromTheBeginning(options);
  if (canTrace()) await tracedCalls(options, 3);
  else options.note('strace cannot trace here: the order of calls is told by a module in the nodes alone');
}

export async function withWorld(
  { stage, folder, verdicts }: DurabilityOptions,
  name: string,
  nodes: number,
  body: (world: World, leader: string) => Promise<void>,
): Promise<void> {
  const own = join(folder, name);
  mkdirSync(own, { recursive: true });
  const world = await World.start({ stage, nodes, folder: own, verdicts, isTraced: true });
  try {
    const leader = await world.cluster.leader(30_000);
    if (leader === undefined) throw new Error('no leader was elected');
    // From the stage on whose members can change, the leader gives the cluster its origin.
    if (stage >= OPS['add-learner'].stage) await untilAtRest(world);
    await body(world, leader.id);
  } finally {
    await world.stop(true);
  }
}

/** Waits until every node knows where the cluster comes from: from then on nobody writes anything unasked. */
async function untilAtRest(world: World): Promise<void> {
  const wires = world.ids.map(id => new Wire(world.node(id).address));
  const isAtRest = await world.until(async () => {
    const answers = await Promise.all(wires.map(wire => wire.ask({ op: 'status', id: 'at rest' })));
    return answers.every(answer => typeof answer !== 'string' && answer.origin !== undefined);
  }, 30_000);
  for (const wire of wires) wire.close();
  if (!isAtRest) throw new Error('the cluster did not come to rest');
}

const isOk = (answer: Answer) => typeof answer !== 'string' && answer.ok;

/** Sets keys, several at a time, under ids that are also their values. */
export function change(wire: Wire, mark: string): Promise<Answer> {
  return wire.ask({ op: 'set', id: mark, key: `/audit/${mark}`, value: mark });
}

/** With every sync 200 ms slower no change is acknowledged sooner, and no follower answers sooner. */
async function slowSyncs(options: DurabilityOptions, nodes: number): Promise<void> {
  options.say(`${nodes} nodes: every fsync takes ${SLOW} ms longer`);
  const { verdicts } = options;
  await withWorld(options, `slow-${nodes}`, nodes, async (world, leader) => {
    await Promise.all(world.ids.map(id => world.disks.order(id, { delay: SLOW })));
    const wires = world.ids.map(id => new Wire(world.node(id).address));
    let count = 0;
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(
        wires.map(async (wire, at) => {
          count += 1;
          const began = performance.now();
          const answer = await change(wire, `${world.ids[at]}-${count}`);
          const took = performance.now() - began;
          verdicts.check(
            'changes are acknowledged in spite of slow syncs',
            isOk(answer),
            JSON.stringify(answer),
          );
          const words = `${took.toFixed(1)} ms at ${world.ids[at]}, where ${leader} leads`;
          verdicts.check(`no answer before a sync that takes ${SLOW} ms`, took >= SLOW - BLUR, words);
        }),
      );
    }
    for (const wire of wires) wire.close();
    const audits = world.ids.map(id => audited(id, readTrace(world.disks.traceOf(id)), verdicts));
    verdicts.check(
      'the audit has seen every acknowledgement',
      checkAcknowledgements(audits, verdicts, BLUR) >= count,
      '',
    );
  });
}

/** With every sync failing nothing is acknowledged, and every node ends with a status that says so. */
async function failingSyncs(options: DurabilityOptions, nodes: number): Promise<void> {
  options.say(`${nodes} nodes: every fsync fails`);
  const { verdicts } = options;
  await withWorld(options, `failing-${nodes}`, nodes, async world => {
    const wires = world.ids.map(id => new Wire(world.node(id).address));
    for (const id of world.ids) world.mayEnd(id);
    await Promise.all(world.ids.map(id => world.disks.order(id, { failing: true })));
    const answers = await Promise.all(wires.map((wire, at) => change(wire, `failing-${at}`)));
    for (const answer of answers) {
      verdicts.check(
        'nothing is acknowledged where every fsync fails',
        !isOk(answer),
        JSON.stringify(answer),
      );
    }
    for (const wire of wires) wire.close();
    for (const id of world.ids) await world.hasEndedOfItself(id);
  });
}

/** Where fsync fails from the beginning a node does not come to listen. */
async function failingFromTheBeginning({ stage, folder, verdicts, say }: DurabilityOptions): Promise<void> {
  say('1 node, on a disk on which fsync has never worked');
  const node = await soleNode(stage, join(folder, 'never'), { orders: { failing: true } });
  const outcome = await node.start().then(
    () => 'it listens',
    (error: StartFailure) => error.message,
  );
  verdicts.check('a node whose fsync fails ends, and says why', /status 1 .*EIO/s.test(outcome), outcome);
  await node.stop();
}

/** What the system was asked for, in order, as strace saw it: with a vote in between. */
async function tracedCalls(options: DurabilityOptions, nodes: number): Promise<void> {
  options.say(`${nodes} nodes under strace`);
  const { verdicts, folder } = options;
  await withWorld(options, `traced-${nodes}`, nodes, async (world, leader) => {
    const traces = await Promise.all(
      world.ids.map(id => Strace.attach(world.node(id).pid ?? 0, join(folder, `${id}.strace`))),
    );
    let count = 0;
    let acknowledged = 0;
    const load = async (ids: readonly string[], rounds: number) => {
      const wires = ids.map(id => new Wire(world.node(id).address));
      for (let round = 0; round < rounds; round += 1) {
        const burst = wires.flatMap(wire =>
          [1, 2, 3].map(() => {
            count += 1;
            return change(wire, `traced-${count}`);
          }),
        );
        acknowledged += (await Promise.all(burst)).filter(isOk).length;
      }
      for (const wire of wires) wire.close();
    };
    await load(world.ids, 15);
    await world.node(leader).kill();
    const rest = world.ids.filter(id => id !== leader);
    await world.untilAnotherLeads(leader, 15_000);
    await load(rest, 15);
    const events = await Promise.all(traces.map(trace => trace.detach()));
    const audits = world.ids.map((id, at) => audited(id, events[at] ?? [], verdicts));
    const seen = checkAcknowledgements(audits, verdicts, 0);
    const words = `${seen} of ${acknowledged} that the clients had`;
    verdicts.check(
      'the audit has seen every acknowledgement',
      seen >= acknowledged && acknowledged > 50,
      words,
    );
    const votes = verdicts.all.find(({ name }) => name === 'a vote leaves after its fsync')?.times ?? 0;
    verdicts.check('the audit has seen a vote', votes > 0, 'none was cast');
  });
}

export function audited(id: string, events: readonly TraceEvent[], verdicts: Verdicts): Times {
  const audit = new Audit(id, verdicts);
  for (const event of events) audit.take(event);
  return audit.times;
}
