import type { Director } from '../director.ts';
import type { Scenario } from '../scenarios.ts';
import type { SimNode } from '../sim-node.ts';
import { goesBeyond, isAppend, lastOf } from './entries.ts';

/** Seconds that a lease lives here, and milliseconds that it may outlive them. */
const TTL = 5;
const SLACK = 2_000;

/** Two changes and a failure in the midst of a transaction: none of it has happened. */
function wholeTransactions(director: Director): void {
  const leader = director.node(1);
  director.start();
  director.establish(leader);
  director.done(director.set(leader, '/b', 'there'), 'a change');
  const asked = director.transact(leader, [
    { op: 'set', key: '/a', value: 'half' },
    { op: 'set', key: '/b', value: 'never', if: [{ absent: true }] },
  ]);
  director.refused(asked, 'CONFLICT', 'a transaction that fails in its midst');
  for (const node of director.nodes) director.done(director.ask(node, { op: 'get', key: '/a' }), 'a read');
  director.recover();
}

/** A change under a session comes three times: its answer was lost, then its leader. */
function onceUnderSession(director: Director): void {
  const [leader, other] = [director.node(1), director.node(2)];
  director.start();
  director.establish(leader);
  const session = director.open(leader, 3_600);
  const request = { op: 'set', key: '/a', value: 'once', session, seq: 1 } as const;
  director.done(director.ask(leader, request), 'a change');
  director.done(director.set(leader, '/a', 'later'), 'a change of another');
  director.done(director.ask(other, request), 'the first one again');
  director.establish(other);
  director.done(director.ask(other, request), 'and again at the next leader');
  director.recover();
}

/** A session is used again and again before it is due, and not looked at as often: it lives on, at all nodes. */
function sessionInUse(director: Director): void {
  const leader = director.node(1);
  director.start();
  director.establish(leader);
  const session = director.open(leader, 2);
  for (let seq = 1; seq <= 12; seq += 1) {
    director.elapse(1_500);
    director.done(director.ask(leader, { op: 'set', key: '/a', value: `${seq}`, session, seq }), 'a change');
  }
  director.elapse(4_000);
  const late = director.ask(leader, { op: 'set', key: '/a', value: 'late', session, seq: 13 });
  director.refused(late, 'SESSION_EXPIRED', 'a change under a session that nobody used for long');
  director.recover();
}

/** A lease is renewed at a leader, and goes on at the next, whose process has run for much longer. */
function leaseAcrossLeaders(director: Director): void {
  const [leader, other] = [director.node(1), director.node(2)];
  const { world } = director;
  director.start();
  director.elapse(20_000);
  world.kill(leader);
  world.start(leader);
  director.establish(leader);
  const lease = director.grant(leader, TTL);
  director.done(director.ask(leader, { op: 'set', key: '/l', value: 'held', lease }), 'a key of the lease');
  director.elapse(1_000);
  director.done(director.ask(leader, { op: 'renew', lease }), 'its renewal');
  const renewed = world.seconds;
  director.establish(other);
  director.until(() => !hasKey(other, '/l'), 'the lease ends', TTL * 1_000 + SLACK);
  director.expect(world.seconds - renewed >= TTL, 'no earlier than it may');
  director.expect(world.seconds - renewed <= TTL + SLACK / 1_000, 'and no later than it must');
  director.recover();
}

function hasKey({ replica }: SimNode, key: string): boolean {
  return [...(replica?.store.entries(key) ?? [])].length > 0;
}

/** Somebody watches at a leader that dies, and goes on at another when much has happened: nothing is left out. */
function watchAcrossFailover(director: Director): void {
  const [leader, other] = [director.node(1), director.node(2)];
  director.start();
  director.establish(leader);
  let at = leader;
  const watcher = director.watch('/', () => [at]);
  for (let count = 1; count <= 3; count += 1) {
    director.done(director.set(leader, '/a', `${count}`), 'a change');
    director.elapse(300);
  }
  director.until(() => watcher.isLevel, 'the watcher is told of all');
  director.world.kill(leader);
  director.establish(other);
  for (let count = 4; count <= 6; count += 1)
    director.done(director.set(other, '/a', `${count}`), 'a change that nobody watches');
  at = other;
  director.elapse(1_500);
  director.done(director.set(other, '/a', '7'), 'a change that is watched again');
  director.until(() => watcher.isLevel, 'the watcher is told of all that it missed');
  director.recover();
}

/** A follower has a change that nobody has committed: whoever watches there is not told. */
function watchAtFollower(director: Director): void {
  const [leader, follower] = [director.node(1), director.node(2)];
  director.start();
  director.establish(leader);
  director.elapse(300);
  const watcher = director.watch('/', () => [follower]);
  director.done(director.set(leader, '/a', 'before'), 'a change');
  director.until(() => watcher.isLevel, 'the watcher is told of it');
  const index = lastOf(leader);
  director.lose((_from, to, message) => to !== follower.id && goesBeyond(message, index));
  director.lose((from, _to, message) => from === follower.id && message.type === 'appended');
  const waiting = director.set(leader, '/a', 'not committed');
  director.until(() => follower.durable.last > index, 'the follower has the change');
  director.elapse(300);
  director.expect(waiting.outcome === undefined, 'nobody is told that it is done');
  director.loseNothing();
  director.done(waiting, 'the change');
  director.until(() => watcher.isLevel, 'the watcher is told of it now');
  director.recover();
}

/** A leader answers for a change, and dies before another hears that it is committed: nobody reads what was before. */
function readAtNewLeader(director: Director): void {
  const [old, fresh] = [director.node(1), director.node(2)];
  director.start();
  director.establish(old);
  director.done(director.set(old, '/a', 'old'), 'a change');
  director.elapse(300);
  const index = lastOf(old) + 1;
  director.lose(
    (_from, to, message) =>
      to === fresh.id && (isAppend(message) || message.type === 'heartbeat') && message.commit >= index,
  );
  director.done(director.set(old, '/a', 'new'), 'a change that a follower does not know to be committed');
  director.until(() => fresh.durable.last >= index, 'the follower has it');
  director.world.kill(old);
  director.elapse(20);
  director.loseNothing();
  director.lose((from, _to, message) => from === fresh.id && isAppend(message));
  director.elect(fresh);
  const read = director.ask(fresh, { op: 'get', key: '/a' });
  director.elapse(300);
  director.expect(read.outcome === undefined, 'a read waits for the no-op');
  director.loseNothing();
  director.done(read, 'the read');
  director.recover();
}

export const APPLICATION_SCENARIOS: readonly Scenario[] = [
  { name: 'a transaction is done as a whole or not at all', size: 3, play: wholeTransactions },
  { name: 'a change under a session happens once, however often it comes', size: 3, play: onceUnderSession },
  { name: 'a session that is in use ends nowhere', size: 3, play: sessionInUse },
  { name: 'a lease ends in time under the next leader', size: 3, play: leaseAcrossLeaders },
  { name: 'a watch goes on at another node without a gap', size: 3, play: watchAcrossFailover },
  { name: 'a watch at a follower tells of nothing that is not committed', size: 3, play: watchAtFollower },
  { name: 'a read at a new leader waits for its no-op', size: 3, play: readAtNewLeader },
];
