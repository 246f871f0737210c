import type { Director } from '../director.ts';
import type { Scenario } from '../scenarios.ts';
import { lastOf } from './entries.ts';

/** The leader's disk hangs: the others are a majority, and work goes on. */
function hangingDisk(director: Director): void {
  const leader = director.node(1);
  director.start();
  director.establish(leader);
  director.elapse(300);
  leader.disk.stalls = () => true;
  director.done(director.set(director.node(2), '/a', 'on two disks'), 'a change while the disk hangs');
  director.done(director.ask(director.node(3), { op: 'get', key: '/a' }), 'a read while the disk hangs');
  director.world.losePower(leader);
  director.until(
    () => director.world.leader !== undefined && director.world.leader !== leader,
    'another leads',
  );
  director.recover();
}

/** A full disk: nothing is acknowledged that is not kept, and it goes on when there is room. */
function fullDisk(director: Director): void {
  const { world } = director;
  director.start();
  director.establish(director.node(1));
  director.done(director.set(director.node(1), '/a', 'before'), 'a change before the disk is full');
  for (const node of director.nodes) node.disk.room = 30; // a part of a record: the write is short
  const stuck = director.set(director.node(1), '/a', 'does not fit');
  director.elapse(3_000);
  director.expect(stuck.outcome?.ok !== true, 'nothing is acknowledged that no disk has');
  const refused = director.set(director.node(1), '/a', 'refused');
  director.until(() => refused.outcome !== undefined, 'a change is refused while the disk is full');
  const code = refused.outcome?.ok === false ? refused.outcome.error.code : 'no error';
  director.expect(code === 'NO_SPACE', `a change is refused for want of space, not with ${code}`);
  const read = director.ask(director.node(1), { op: 'get', key: '/a', read: 'stale' });
  director.done(read, 'a read while the disk is full');
  for (const node of director.nodes) node.disk.room = Number.POSITIVE_INFINITY;
  director.until(() => world.leader?.replica !== undefined, 'somebody leads', 10_000);
  director.elapse(3_000);
  const again = director.set(director.node(2), '/a', 'after');
  director.done(again, 'a change when there is room again');
  director.recover();
}

/** The leader's disk is full, and no other: somebody else leads, and work goes on. */
function fullDiskOfTheLeader(director: Director): void {
  const { world } = director;
  const leader = director.node(1);
  director.start();
  director.establish(leader);
  leader.disk.room = 30;
  const last = director.set(leader, '/a', 'on two disks');
  director.done(last, 'a change that only the others have room for');
  director.until(() => world.leader !== undefined && world.leader !== leader, 'another leads', 3_000);
  director.done(director.set(leader, '/a', 'after'), 'a change sent to the node whose disk is full');
  director.expect(leader.isRunning, 'the node whose disk is full runs on');
  leader.disk.room = Number.POSITIVE_INFINITY;
  director.recover();
}

/** The disk is full when a node is called by those that it has yet to remember: they wait, and it lives on. */
function fullAtFirstContact(director: Director): void {
  director.start();
  for (const node of director.nodes) node.disk.room = 20;
  director.elapse(2_000);
  director.expect(
    director.nodes.every(node => node.isRunning),
    'every node runs on',
  );
  for (const node of director.nodes) node.disk.room = Number.POSITIVE_INFINITY;
  director.recover();
}

/** A sync fails: the process ends, and does not try a second time. */
function failingSync(director: Director): void {
  const { world } = director;
  const [leader, follower] = [director.node(1), director.node(2)];
  director.start();
  director.establish(leader);
  director.elapse(300);
  let ended = 0;
  world.onFatal = node => {
    ended += 1;
    world.losePower(node);
  };
  follower.disk.failsNextSync = true;
  director.done(director.set(leader, '/a', 'on two disks'), 'a change that one disk fails to keep');
  director.until(() => ended === 1, 'the process with the failing disk ends');
  director.elapse(1_000);
  director.recover();
}

/** The power goes in the first moments of a cluster, again and again, at every moment there is. */
function firstMoments(director: Director): void {
  const { world } = director;
  for (let moment = 0; moment < 120; moment += 1) {
    director.start();
    director.elapse(moment % 40 === 0 ? 1_500 : (moment % 40) / 4);
    for (const node of director.nodes) world.losePower(node);
  }
  director.recover();
}

/** Where the log's file hangs and that of the votes does not, a vote outlives the entry that all begin with. */
function voteBeforeTheFirstEntry(director: Director): void {
  const { world } = director;
  const [candidate, ...voters] = director.nodes;
  if (candidate === undefined) return;
  world.start(candidate);
  for (const voter of voters) {
    voter.disk.stalls = path => path.includes('/log/');
    director.lose((from, _to, message) => from === voter.id && message.type === 'request-vote');
    world.start(voter);
  }
  director.until(
    () => voters.every(voter => voter.durable.voteIn(2) === candidate.id),
    'all have voted',
    20_000,
  );
  for (const voter of voters) world.losePower(voter);
  director.expect(
    voters.some(voter => voter.durable.last === 0),
    'an entry was lost',
  );
  for (let time = 0; time < 2; time += 1) {
    director.elapse(100);
    for (const voter of voters) {
      voter.disk.unstall();
      world.kill(voter);
      world.start(voter);
    }
  }
  director.recover();
}

/** All power goes at once, in the midst of changes, and comes back: again and again. */
function blackouts(director: Director): void {
  const { world } = director;
  for (let round = 0; round < 10; round += 1) {
    director.start();
    director.until(() => world.leader !== undefined, 'somebody leads');
    for (let count = 0; count < 5; count += 1) {
      const node = director.nodes[count % director.nodes.length];
      if (node !== undefined) director.set(node, `/${count}`, 'x'.repeat(100 * count));
    }
    director.elapse(round);
    for (const node of director.nodes) world.losePower(node);
  }
  director.recover();
}

/** A leader's entries that nobody got are replaced by those of another, on its disk as well: no restart brings them back. */
function replacedEntries(director: Director): void {
  const [old, fresh] = [director.node(1), director.node(2)];
  director.start();
  director.establish(old);
  director.elapse(300);
  const last = lastOf(old);
  director.isolate(old);
  for (let count = 1; count <= 5; count += 1) director.set(old, '/a', `lost ${count}`);
  director.until(() => old.durable.last === last + 5, 'the old leader writes what nobody gets');
  director.establish(fresh);
  director.done(director.set(fresh, '/a', 'kept'), 'a change at the new leader');
  director.mend();
  director.level();
  director.world.kill(old);
  director.world.start(old);
  director.recover();
}

/** A large record is cut off by a loss of power, and smaller ones take its place: nothing of it may stay behind them. */
function tornTail(director: Director): void {
  const { world } = director;
  const [leader, torn] = [director.node(1), director.node(3)];
  director.start();
  for (let round = 0; round < 8; round += 1) {
    director.establish(torn);
    director.elapse(200);
    torn.disk.stalls = path => path.endsWith('.ndjson');
    director.isolate(torn);
    director.set(torn, '/large', 'x'.repeat(4_000));
    director.elapse(20);
    world.losePower(torn);
    director.establish(leader);
    torn.disk.unstall();
    director.mend();
    world.start(torn);
    for (let count = 0; count < 4; count += 1)
      director.done(director.set(leader, `/${count}`, 'x'.repeat(100)), 'a small change');
    director.level();
    world.kill(torn);
    world.start(torn);
    director.level();
  }
  director.recover();
}

/** More than anyone keeps in memory is missing at a follower: it comes from the leader's disk. */
function fromDisk(director: Director): void {
  const [leader, follower] = [director.node(1), director.node(3)];
  director.start();
  director.establish(leader);
  director.world.kill(follower);
  for (let count = 0; count < 30; count += 1) {
    director.done(director.set(leader, '/large', `${count} ${'x'.repeat(400_000)}`), 'a large change');
  }
  const first = leader.raft?.state.log.firstCached ?? 0;
  director.expect(first > 3, 'the leader no longer has the first changes in memory');
  director.world.start(follower);
  director.recover();
}

export const DISK_SCENARIOS: readonly Scenario[] = [
  { name: "work goes on while the leader's disk hangs", size: 3, play: hangingDisk },
  {
    name: 'a full disk keeps what it has, acknowledges nothing, and goes on when there is room',
    size: 3,
    play: fullDisk,
  },
  { name: 'a leader whose disk is full lets another lead', size: 3, play: fullDiskOfTheLeader },
  { name: 'a full disk does not end a node that meets others', size: 3, play: fullAtFirstContact },
  { name: 'a node ends when a sync fails', size: 3, play: failingSync },
  { name: 'the power may go in the first moments of a cluster', size: 3, play: firstMoments },
  { name: 'a vote may reach the disk before the first entry does', size: 5, play: voteBeforeTheFirstEntry },
  { name: 'all power may go at once, again and again', size: 3, segmentBytes: 500, play: blackouts },
  { name: 'what was replaced in a log stays replaced', size: 3, play: replacedEntries },
  {
    name: 'nothing stays of a record that a loss of power cut off',
    size: 3,
    segmentBytes: 500,
    play: tornTail,
  },
  {
    name: 'what is too old for memory comes from the disk',
    size: 3,
    segmentBytes: 1_000_000,
    play: fromDisk,
  },
];
