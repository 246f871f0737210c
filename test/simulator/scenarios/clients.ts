import type { Director } from '../director.ts';
import type { Scenario } from '../scenarios.ts';
import { lastOf } from './entries.ts';

/** A leader sleeps through an election; when it wakes, a read comes before anything that the others said. */
function sleepingLeader(director: Director): void {
  const [old, fresh] = [director.node(1), director.node(2)];
  director.start();
  director.establish(old);
  director.done(director.set(old, '/a', 'old'), 'a change');
  director.elapse(300);
  director.world.pause(old, 3_600_000);
  director.isolate(old);
  director.establish(fresh);
  director.done(director.set(fresh, '/a', 'new'), 'a change at the new leader');
  old.process?.loop.resume();
  const read = director.ask(old, { op: 'get', key: '/a', timeout: 2_000 });
  director.elapse(3_000);
  director.expect(read.outcome !== undefined && !read.outcome.ok, 'the old leader shows nothing');
  director.recover();
}

/** The same, but the answers to the leader's last round before its sleep come when it has woken. */
function lateAnswers(director: Director): void {
  const [old, fresh] = [director.node(1), director.node(2)];
  director.start();
  director.establish(old);
  director.done(director.set(old, '/a', 'old'), 'a change');
  director.elapse(300);
  const answers = director.hold((_from, to, message) => to === old.id && message.type === 'heartbeat-answer');
  director.until(() => answers.count() >= 2, 'a round is answered');
  director.world.pause(old, 3_600_000);
  director.isolate(old);
  director.establish(fresh);
  director.done(director.set(fresh, '/a', 'new'), 'a change at the new leader');
  old.process?.loop.resume();
  director.ask(old, { op: 'get', key: '/a', timeout: 2_000 });
  director.elapse(1);
  answers.release();
  director.elapse(100);
  director.recover();
}

/** What a follower asked before it was restarted is answered to the process that came after it. */
function readAcrossRestart(director: Director): void {
  const [leader, follower, third] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(leader);
  director.done(director.set(leader, '/a', 'old'), 'a change');
  const answers = director.hold(
    (_from, to, message) => to === follower.id && message.type === 'read-index-answer',
  );
  director.elapse(300);
  director.ask(follower, { op: 'get', key: '/a' });
  director.until(() => answers.count() > 0, 'the leader answers what the first process asked');
  director.world.kill(follower);
  director.world.start(follower);
  director.elapse(500);
  // The follower falls behind by a change; its new process asks, and gets the answer to the old one's question.
  director.lose(
    (_from, to, message) =>
      to === follower.id && message.type !== 'read-index-answer' && message.type !== 'heartbeat',
  );
  director.done(director.set(third, '/a', 'new'), 'a change that the follower misses');
  director.ask(follower, { op: 'get', key: '/a', timeout: 1_000 });
  director.elapse(50);
  answers.repeat(1);
  director.elapse(50);
  director.recover();
}

/** The answer to a read comes a second time, when another read waits and the follower is behind. */
function answeredTwice(director: Director): void {
  const [leader, follower, third] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(leader);
  director.done(director.set(leader, '/a', 'old'), 'a change');
  director.elapse(300);
  const answers = director.hold(
    (_from, to, message) => to === follower.id && message.type === 'read-index-answer',
  );
  const first = director.ask(follower, { op: 'get', key: '/a' });
  director.until(() => answers.count() > 0, 'the leader answers');
  answers.repeat(1);
  director.done(first, 'the first read');
  director.lose((_from, to, message) => to === follower.id && message.type !== 'heartbeat');
  director.done(director.set(third, '/a', 'new'), 'a change that the follower misses');
  director.ask(follower, { op: 'get', key: '/a', timeout: 1_000 });
  director.elapse(20);
  answers.repeat(1);
  director.elapse(50);
  director.recover();
}

/** A leader proposes alone and is cut off; another's entry takes the place, and who asked is told for certain. */
function replacedProposal(director: Director): void {
  const [old, fresh] = [director.node(1), director.node(2)];
  director.start();
  director.establish(old);
  director.elapse(300);
  director.lose((from, _to, message) => from === old.id && message.type === 'append');
  director.set(old, '/a', 'lost to a no-op');
  const lost = director.set(old, '/a', 'lost to a change');
  director.elapse(20);
  director.elect(fresh);
  director.done(director.set(fresh, '/b', 'kept'), 'a change at the new leader');
  director.mend();
  director.until(() => lost.outcome !== undefined, 'the change that was replaced is answered', 2_500);
  director.expect(lost.outcome?.ok === false, 'it is not said to be done');
  director.recover();
}

/** A leader proposes, is cut off, and gives up the change; another commits it. */
function adoptedProposal(director: Director): void {
  const [old, fresh, third] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(old);
  director.elapse(300);
  director.lose((_from, to, message) => to === old.id && message.type !== 'request-vote');
  director.lose((from, _to, message) => from === third.id && message.type === 'request-vote');
  const before = lastOf(old);
  const adopted = director.set(old, '/a', 'adopted');
  director.until(
    () => fresh.durable.last === old.durable.last && old.durable.last > before,
    'a follower gets the entry',
  );
  director.isolate(old);
  director.until(() => adopted.outcome !== undefined, 'the change is given up', 6_000);
  director.establish(fresh);
  director.recover();
}

/** A node proposes, is deposed, and leads again: its new proposal takes the place of the old one. */
function proposalInTheSamePlace(director: Director): void {
  const [one, two] = [director.node(1), director.node(2)];
  director.start();
  director.establish(one);
  director.elapse(300);
  director.lose((from, _to, message) => from === one.id && message.type === 'append');
  const lost = [1, 2, 3, 4, 5].map(count => director.set(one, '/a', `lost ${count}`));
  director.elapse(20);
  director.loseNothing();
  const first = (one.raft?.state.log.last.index ?? 0) - 4;
  // The other leads just long enough to cut the entry off, and its own no-op goes no further.
  director.lose((from, to, message) => from === two.id && to !== one.id && message.type === 'append');
  director.lose((from, _to, message) => from === one.id && message.type === 'append');
  director.lose((from, to, message) => from === one.id && to === two.id && message.type === 'appended');
  director.elect(two);
  director.until(() => one.raft?.state.log.termAt(first) === two.raft?.state.term, 'the entry is replaced');
  director.world.kill(two);
  director.elapse(20);
  director.loseNothing();
  director.establish(one);
  for (const { length } of ['1', '22', '333', '4444']) director.set(one, '/a', `kept ${length}`);
  director.elapse(200);
  director.expect(
    lost.every(({ outcome }) => outcome !== undefined),
    'every change that was replaced is answered',
  );
  director.recover();
}

export const CLIENT_SCENARIOS: readonly Scenario[] = [
  {
    name: 'a leader that slept through an election shows nothing stale when it wakes',
    size: 3,
    play: sleepingLeader,
  },
  { name: 'answers to an earlier round do not confirm a read', size: 3, play: lateAnswers },
  {
    name: 'what a process asked before a restart does not answer the next one',
    size: 3,
    play: readAcrossRestart,
  },
  { name: 'an answer that comes twice answers one read', size: 3, play: answeredTwice },
  { name: 'a change that another took the place of is not said to be done', size: 3, play: replacedProposal },
  {
    name: 'a change that was given up and is committed after all was not denied',
    size: 3,
    play: adoptedProposal,
  },
  {
    name: 'a proposal in the place of an earlier one leaves nobody waiting',
    size: 3,
    play: proposalInTheSamePlace,
  },
];
