import type { NodeMessage } from '../../../src/node/raft-codec.ts';
import type { Director } from '../director.ts';
import type { Scenario } from '../scenarios.ts';
import type { SimNode } from '../sim-node.ts';
import { lastOf } from './entries.ts';

/** A log is compacted when it is asked for, and then as far as can be. */
const ON_REQUEST = { entries: 100_000, bytes: 67_108_864, tail: 0 } as const;

function compact(director: Director, node: SimNode): void {
  director.done(director.ask(node, { op: 'snapshot' }), `a snapshot at ${node.id}`);
}

function change(director: Director, node: SimNode, count: number): void {
  for (let at = 1; at <= count; at += 1) director.done(director.set(node, `/${at}`, `${at}`), 'a change');
}

/** A leader compacts what a node has yet to get, which goes away in the way given: it will be sent the snapshot. */
function leaveBehind(director: Director, leader: SimNode, away: () => void): void {
  director.start();
  director.establish(leader);
  director.elapse(300);
  away();
  change(director, leader, 5);
  compact(director, leader);
}

/** The pieces of snapshots that come to a node from now on. */
function comingTo(director: Director, node: SimNode): NodeMessage[] {
  const pieces: NodeMessage[] = [];
  director.lose((_from, to, message) => {
    if (to === node.id && message.type === 'install') pieces.push(message);
    return false;
  });
  return pieces;
}

/** The leader has entries that are not committed when it compacts: a snapshot stands for what is applied, no more. */
function uncommittedTail(director: Director): void {
  const leader = director.node(1);
  director.start();
  director.establish(leader);
  change(director, leader, 3);
  director.lose((_from, to, message) => to === leader.id && message.type === 'appended');
  const waiting = director.set(leader, '/a', 'not committed yet');
  director.elapse(20);
  director.expect(lastOf(leader) > (leader.raft?.state.commit ?? 0), 'an entry waits');
  compact(director, leader);
  director.expect((leader.raft?.state.snapshot.index ?? 0) < lastOf(leader), 'the snapshot leaves it out');
  director.loseNothing();
  director.done(waiting, 'the change that waited');
  director.recover();
}

/** A log has entries that nobody else has, where the others have long compacted theirs: all of it goes, on the disk too. */
function conflictingLog(director: Director): void {
  const [old, fresh] = [director.node(1), director.node(2)];
  const { world } = director;
  director.start();
  director.establish(old);
  director.elapse(300);
  director.isolate(old);
  for (let at = 1; at <= 5; at += 1) director.set(old, '/a', `lost ${at}`);
  director.until(() => old.durable.last >= 5, 'the old leader writes what nobody gets');
  director.establish(fresh);
  change(director, fresh, 10);
  compact(director, fresh);
  director.mend();
  director.level();
  director.expect((old.raft?.state.log.base.index ?? 0) > 5, 'the snapshot took the place of its log');
  change(director, fresh, 2);
  director.level();
  world.kill(old);
  world.start(old);
  director.recover();
}

/** The power goes when a log has just been compacted, twice in a row: what it no longer has, a snapshot has. */
function powerAfterCompaction(director: Director): void {
  const { world } = director;
  const [leader, node] = [director.node(1), director.node(2)];
  director.start();
  director.establish(leader);
  for (let round = 0; round < 6; round += 1) {
    for (let snapshot = 0; snapshot < 2; snapshot += 1) {
      change(director, leader, 6);
      director.level();
      compact(director, node);
    }
    director.elapse(20);
    world.losePower(node);
    world.start(node);
    director.level();
  }
  director.recover();
}

/** The answer to the last piece of a snapshot is lost, so it is sent again to a node that has it already. */
function installedTwice(director: Director): void {
  const [leader, node] = [director.node(1), director.node(3)];
  leaveBehind(director, leader, () => director.world.kill(node));
  const { index } = leader.raft?.state.snapshot ?? { index: 0 };
  const pieces = comingTo(director, node);
  director.lose((from, _to, message) => from === node.id && message.type === 'appended');
  director.world.start(node);
  director.until(() => node.raft?.state.snapshot.index === index, 'the snapshot has come');
  const once = pieces.length;
  director.until(() => pieces.length > once + 1, 'it is sent again and again');
  director.loseNothing();
  change(director, leader, 1);
  director.level();
  director.recover();
}

/** While the last of a snapshot is on its way to the disk, another leader brings more by its log. */
function overtaken(director: Director): void {
  const [leader, other, node] = [director.node(1), director.node(2), director.node(3)];
  leaveBehind(director, leader, () => director.isolate(node));
  const { index } = leader.raft?.state.snapshot ?? { index: 0 };
  node.disk.stalls = path => path.includes('/snapshots');
  director.mend();
  const pieces = comingTo(director, node);
  director.until(() => pieces.length > 1, 'the snapshot comes');
  director.elapse(100);
  director.expect((node.raft?.state.commit ?? 0) < index, 'the snapshot waits for the disk');
  director.establish(other);
  change(director, other, 2);
  director.until(() => (node.raft?.state.commit ?? 0) > index, 'the log of the other leader brings more');
  node.disk.unstall();
  director.elapse(300);
  director.expect((node.raft?.state.log.base.index ?? 0) < index, 'the snapshot is not taken');
  director.recover();
}

/** What sessions have done goes with the snapshot, to a node that starts from it and to one that is sent it. */
function rememberedSessions(director: Director): void {
  const [leader, node] = [director.node(1), director.node(3)];
  const { world } = director;
  director.start();
  director.establish(leader);
  director.elapse(300);
  world.kill(node);
  const session = director.open(leader, 3_600);
  const request = { op: 'set', key: '/a', value: 'once', session, seq: 1 } as const;
  director.done(director.ask(leader, request), 'a change');
  change(director, leader, 3);
  compact(director, leader);
  world.start(node);
  director.level();
  world.kill(leader);
  world.start(leader);
  for (const one of [leader, node]) {
    director.establish(one);
    director.done(director.ask(one, request), 'the same change again');
  }
  director.recover();
}

/** A snapshot of before comes to a node that has gone on: nothing of it is taken. */
function ofThePast(director: Director): void {
  const [leader, node] = [director.node(1), director.node(3)];
  leaveBehind(director, leader, () => director.world.kill(node));
  const seen = comingTo(director, node);
  director.world.start(node);
  director.level();
  change(director, leader, 5);
  director.level();
  const applied = node.raft?.state.handed ?? 0;
  for (const message of seen.splice(0)) {
    node.arrive(() => node.onMessage(leader.id, message));
    director.elapse(20);
  }
  director.expect((node.raft?.state.handed ?? 0) >= applied, 'what was applied stays applied');
  director.recover();
}

const SCENARIOS: readonly Omit<Scenario, 'limits'>[] = [
  { name: 'a snapshot stands for no more than is applied', size: 3, play: uncommittedTail },
  { name: 'a snapshot that does not fit takes the place of the whole log', size: 3, play: conflictingLog },
  {
    name: 'the power may go when a log has just been compacted',
    size: 3,
    segmentBytes: 500,
    play: powerAfterCompaction,
  },
  { name: 'a snapshot that a node has already is not taken in again', size: 3, play: installedTwice },
  { name: 'a snapshot that the log has overtaken is not installed', size: 3, play: overtaken },
  { name: 'a snapshot of the past changes nothing', size: 3, play: ofThePast },
  { name: 'what sessions have done goes with a snapshot', size: 3, play: rememberedSessions },
];

export const SNAPSHOT_SCENARIOS: readonly Scenario[] = SCENARIOS.map(scenario => ({
  ...scenario,
  limits: ON_REQUEST,
}));
