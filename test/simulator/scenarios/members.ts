import type { Director } from '../director.ts';
import type { Scenario } from '../scenarios.ts';
import type { SimNode } from '../sim-node.ts';
import { goesBeyond, isAppend, lastOf } from './entries.ts';

/** Milliseconds in which a leader that can commit something does so, and its farewell to who is removed. */
const AMPLE = 500;
const FAREWELL = 3_000;

function isMember(node: SimNode, of: SimNode): boolean {
  return Object.hasOwn(of.raft?.state.configuration.nodes ?? {}, node.id);
}

/** A learner has all there is, and the other voter has not: that is no majority of two voters. */
function learner(director: Director): void {
  const [leader, other] = [director.node(1), director.node(2)];
  director.start();
  director.establish(leader);
  director.join(leader);
  director.lose((_from, to, message) => to === other.id && isAppend(message));
  const change = director.set(leader, '/a', 'on one disk that counts');
  director.elapse(AMPLE);
  director.expect(change.outcome === undefined, 'the change waits for the other voter');
  director.loseNothing();
  director.done(change, 'the change');
  director.recover();
}

/** A learner is cut off for long, with a log as long as any. */
function quietLearner(director: Director): void {
  const leader = director.node(1);
  director.start();
  director.establish(leader);
  const node = director.join(leader);
  director.isolate(node);
  for (let look = 0; look < 50; look += 1) {
    director.elapse(100);
    director.expect(node.raft?.state.role === 'follower', 'it does not ask for votes');
  }
  director.recover();
}

/** The old voters all have the joint configuration, and none of the new. */
function oldAlone(director: Director): void {
  const [leader, ...founders] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(leader);
  const fresh = [director.join(leader), director.join(leader)];
  director.lose((_from, to, message) => fresh.some(({ id }) => id === to) && isAppend(message));
  const last = lastOf(leader);
  const change = director.vote(leader, fresh);
  director.until(() => founders.every(({ durable }) => durable.last > last), 'the old voters have it');
  director.elapse(AMPLE);
  director.expect(
    (leader.raft?.state.commit ?? 0) <= last,
    'the joint configuration waits for the new voters',
  );
  director.loseNothing();
  director.done(change, 'the change');
  director.recover();
}

/** The new voters all have the joint configuration, and of the old ones only one. */
function newAlone(director: Director): void {
  const [leader, ...founders] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(leader);
  const fresh = [director.join(leader), director.join(leader)];
  director.lose((_from, to, message) => founders.some(({ id }) => id === to) && isAppend(message));
  const last = lastOf(leader);
  const change = director.vote(leader, fresh);
  director.until(() => fresh.every(({ durable }) => durable.last > last), 'the new voters have it');
  director.elapse(AMPLE);
  director.expect(
    (leader.raft?.state.commit ?? 0) <= last,
    'the joint configuration waits for the old voters',
  );
  director.loseNothing();
  director.done(change, 'the change');
  director.recover();
}

/** A new leader cannot know yet what the one before it has committed, and may hold what is about to be lost. */
function beforeNoOp(director: Director): void {
  const [first, second, third] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(first);
  director.elapse(300);
  director.lose((from, _to, message) => from === second.id && isAppend(message));
  director.elect(second);
  director.refused(director.vote(second, [second, third]), 'CHANGE_IN_PROGRESS', 'a change before the no-op');
  director.loseNothing();
  director.establish(second);
  director.done(director.vote(second, [second, third]), 'a change behind the no-op');
  director.recover();
}

/** A change is in the leader's log and nowhere else; another has to wait for it. */
function secondChange(director: Director): void {
  const [leader, second, third] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(leader);
  director.elapse(300);
  director.lose((from, _to, message) => from === leader.id && isAppend(message));
  const change = director.vote(leader, [leader, second]);
  director.elapse(100);
  director.refused(director.vote(leader, [leader, third]), 'CHANGE_IN_PROGRESS', 'a second change');
  director.refused(
    director.ask(leader, { op: 'remove-node', node: second.id }),
    'CHANGE_IN_PROGRESS',
    'a removal meanwhile',
  );
  director.loseNothing();
  director.done(change, 'the first change');
  director.done(director.ask(leader, { op: 'remove-node', node: second.id }), 'a change after it');
  director.recover();
}

/** A leader that is cut off appends a configuration; it is replaced in its log, and counts there no more. */
function rolledBack(director: Director): void {
  const [old, fresh, third] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(old);
  director.elapse(300);
  director.isolate(old);
  director.vote(old, [third]);
  director.until(() => old.raft?.state.configuration.old !== undefined, 'the old leader goes by it');
  director.establish(fresh);
  director.done(director.set(fresh, '/a', 'kept'), 'a change at the new leader');
  director.mend();
  director.level();
  director.establish(old);
  director.isolate(third); // by the configuration that is gone, nothing would be committed without this one
  director.done(director.set(old, '/a', 'by a majority of three'), 'a change at the old leader');
  director.expect(old.raft?.state.role === 'leader', 'it leads on');
  director.recover();
}

/** Of the two voters that a leader leaves behind one has what it is to commit: with itself, that would be two of three. */
function removedLeader(director: Director): void {
  const [leader, second, third] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(leader);
  director.elapse(300);
  const joint = lastOf(leader) + 1;
  director.lose((_from, to, message) => to === third.id && goesBeyond(message, joint));
  const change = director.vote(leader, [second, third]);
  director.until(() => second.durable.last > joint, 'one of the two has the new configuration');
  director.elapse(AMPLE);
  director.expect(
    leader.raft?.state.role === 'leader',
    'the leader that is removed leads until it is committed',
  );
  director.expect(leader.raft?.state.commit === joint, 'it does not count itself');
  director.loseNothing();
  director.done(change, 'the removal of the leader');
  director.until(() => leader.raft?.state.isRemoved === true, 'it knows that it was removed');
  director.until(
    () => [second, third].some(({ raft }) => raft?.state.role === 'leader'),
    'one of the two leads',
  );
  const term = second.raft?.state.term;
  director.elapse(10_000);
  director.expect(second.raft?.state.term === term, 'whoever was removed disturbs nobody');
  director.recover();
}

/** A node that is removed while it is away learns nothing of it; it comes back, and nobody's term or leader changes. */
function removedWhileAway(director: Director): void {
  const [leader, second, third] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(leader);
  director.elapse(300);
  director.isolate(third);
  director.done(director.vote(leader, [leader, second]), 'the removal');
  director.elapse(FAREWELL);
  const term = leader.raft?.state.term;
  director.mend();
  director.elapse(10_000);
  director.expect(leader.raft?.state.role === 'leader', 'the leader still leads');
  director.expect(leader.raft?.state.term === term, 'the term is the same');
  director.expect(third.raft?.state.isRemoved === true, 'the node knows that it was removed');
  director.recover();
}

/** Somebody asks for votes while everybody hears a leader, with a log as long as any: nobody helps to depose it. */
function deposer(director: Director): void {
  const [leader, second, third] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(leader);
  director.elapse(300);
  const term = leader.raft?.state.term ?? 0;
  const { index: lastIndex, term: lastTerm } = third.raft?.state.log.last ?? { index: 0, term: 0 };
  const request = { type: 'request-vote', term: term + 1, transfer: false, lastIndex, lastTerm } as const;
  for (const pre of [true, false]) {
    for (const node of [leader, second]) node.arrive(() => node.onMessage(third.id, { ...request, pre }));
    director.elapse(1_000);
    director.expect(leader.raft?.state.role === 'leader', 'the leader still leads');
    director.expect(second.raft?.state.term === term, 'the term is the same');
  }
  director.recover();
}

/** The leader of a joint configuration dies; whoever is elected by both majorities goes on with the change. */
function finishedByAnother(director: Director): void {
  const [leader, second, third] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(leader);
  const fresh = director.join(leader);
  const joint = lastOf(leader) + 1;
  director.lose((from, to, message) => from === leader.id && to === third.id && isAppend(message));
  director.lose((from, _to, message) => from === leader.id && goesBeyond(message, joint));
  director.vote(leader, [second, third, fresh]);
  director.until(
    () => [second, fresh].every(({ durable }) => durable.last === joint),
    'two have the joint one',
  );
  director.world.kill(leader);
  director.elapse(20);
  director.loseNothing();
  director.establish(second);
  director.until(() => second.raft?.state.settledConfiguration.old === undefined, 'the change is finished');
  director.expect(!isMember(leader, second), 'the leader that died is a member no more');
  director.recover();
}

/** A new leader knows that the joint configuration is committed, and still not what else is: it begins nothing before. */
function finishedBehindNoOp(director: Director): void {
  const [leader, second, third] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(leader);
  const fresh = director.join(leader);
  const joint = lastOf(leader) + 1;
  director.lose((from, _to, message) => from === leader.id && goesBeyond(message, joint));
  director.vote(leader, [second, third, fresh]);
  director.until(
    () => (second.raft?.state.commit ?? 0) === joint,
    'the joint configuration is known to be committed',
  );
  director.world.kill(leader);
  director.elapse(20);
  director.loseNothing();
  director.lose((from, _to, message) => from === second.id && isAppend(message));
  director.elect(second);
  director.elapse(100);
  director.expect(lastOf(second) === joint + 1, 'a new leader appends its no-op, and nothing else');
  director.loseNothing();
  director.until(() => second.raft?.state.settledConfiguration.old === undefined, 'the change is finished');
  director.recover();
}

/** A node is removed, loses its disk, and is added again while it is still seen off: what it had counts no more. */
function backWithNothing(director: Director): void {
  const leader = director.node(1);
  director.start();
  director.establish(leader);
  const node = director.join(leader);
  director.done(director.set(leader, '/a', 'before'), 'a change that the learner gets');
  director.level();
  director.done(director.ask(leader, { op: 'remove-node', node: node.id }), 'the removal');
  director.world.wipe(node);
  director.lose((_from, to, message) => to === node.id && isAppend(message));
  const { id, address } = node;
  director.done(director.ask(leader, { op: 'add-learner', node: { id, address } }), 'its return');
  director.elapse(AMPLE);
  director.expect((leader.raft?.state.progress.get(id)?.match ?? 0) === 0, 'nothing counts that it has lost');
  director.loseNothing();
  director.until(() => node.raft?.state.handed === director.world.ledger.last, 'it is sent everything anew');
  director.recover();
}

export const MEMBER_SCENARIOS: readonly Scenario[] = [
  { name: 'a learner is no part of any majority', size: 2, play: learner },
  { name: 'a learner that hears nobody does not ask to be elected', size: 3, play: quietLearner },
  { name: 'the old voters alone commit no joint configuration', size: 3, play: oldAlone },
  { name: 'the new voters alone commit no joint configuration', size: 3, play: newAlone },
  {
    name: "no change of the members begins before the leader's no-op is committed",
    size: 3,
    play: beforeNoOp,
  },
  { name: 'a change of the members waits for the one before it', size: 3, play: secondChange },
  { name: 'a configuration that is replaced in the log counts no more', size: 3, play: rolledBack },
  { name: 'a leader that is removed does not count itself, and goes', size: 3, play: removedLeader },
  { name: 'a node that was removed while it was away disturbs nobody', size: 3, play: removedWhileAway },
  { name: 'nobody helps to depose a leader that it hears', size: 3, play: deposer },
  { name: 'a joint configuration is finished by whoever leads next', size: 3, play: finishedByAnother },
  {
    name: 'a joint configuration is finished behind the no-op of whoever leads next',
    size: 3,
    play: finishedBehindNoOp,
  },
  { name: 'a node that comes back with nothing is sent everything', size: 3, play: backWithNothing },
];
