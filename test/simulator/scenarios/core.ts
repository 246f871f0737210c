import type { NodeMessage } from '../../../src/node/raft-codec.ts';
import type { Director } from '../director.ts';
import type { Scenario } from '../scenarios.ts';
import type { SimNode } from '../sim-node.ts';
import { goesBeyond, isAppend, lastOf } from './entries.ts';

/** A value that fills a probing message by itself, so that what follows it travels apart. */
const LARGE = 'x'.repeat(5_000);

/** Figure 8 of the paper, from (a) to (d): an entry of an old term on a majority, which is not committed by that. */
function figure8(director: Director): void {
  const [s1, s2, s3, s5] = [director.node(1), director.node(2), director.node(3), director.node(5)];
  const { world } = director;
  director.start();
  director.establish(s1);
  director.elapse(300);
  // (a) S1 leads and replicates an entry to S2 alone.
  const index = lastOf(s1) + 1;
  director.lose((_from, to, message) => to !== s2.id && goesBeyond(message, index - 1));
  director.set(s1, '/a', LARGE);
  director.until(() => s2.durable.last === index, 'S2 gets the entry');
  // (b) S1 crashes; S5 leads and has an entry of its own at that index, which nobody gets.
  world.kill(s1);
  director.elapse(20);
  director.loseNothing();
  director.lose((from, _to, message) => from === s5.id && isAppend(message));
  director.elect(s5);
  director.until(() => s5.durable.last === index, 'S5 has written its no-op');
  world.kill(s5);
  director.elapse(20); // what it sent is still on its way, and must be lost too
  // (c) S1 is back, leads, and replicates the old entry to S3: a majority has it. Its no-op gets to S2 alone, for S3
  // takes only the message by which S1 learns what S3 lacks.
  director.loseNothing();
  world.start(s1);
  director.lose((from, to, message) => {
    if (from !== s1.id || !isAppend(message) || to === s2.id) return false;
    return to !== s3.id || (goesBeyond(message, index) && lastOf(s3) >= index);
  });
  director.elect(s1);
  director.until(() => s3.durable.last === index, 'S3 gets the entry');
  director.elapse(300);
  // (d) S1 crashes; S5 may lead with the votes of S3 and S4, and replaces the entry.
  world.kill(s1);
  director.elapse(20);
  director.loseNothing();
  world.start(s5);
  director.establish(s5);
  director.recover();
}

/** Two candidates of one term ask the same voter, once before and once after it has been restarted. */
function voteAcrossRestart(director: Director): void {
  const [one, voter, other] = [director.node(1), director.node(2), director.node(3)];
  director.lose((from, to) => (from === one.id && to === other.id) || (from === other.id && to === one.id));
  const isAsking = (message: NodeMessage) => message.type === 'request-vote' && !message.pre;
  const first = director.hold((from, to, message) => from === one.id && to === voter.id && isAsking(message));
  const second = director.hold(
    (from, to, message) => from === other.id && to === voter.id && isAsking(message),
  );
  director.lose((from, _to, message) => from === voter.id && message.type === 'request-vote');
  director.start();
  const termOf = ({ raft }: SimNode) => raft?.state.term ?? 0;
  const stand = () => one.raft?.state.role === 'candidate' && other.raft?.state.role === 'candidate';
  const isOf = (message: NodeMessage) => message.type === 'request-vote' && message.term === termOf(one);
  const areAsking = () => stand() && termOf(one) === termOf(other) && first.some(isOf) && second.some(isOf);
  director.until(areAsking, 'two candidates stand in one term', 60_000);
  const term = termOf(one);
  director.lose((from, to) => from === one.id && to === voter.id); // no word of a leader reaches the voter
  first.release();
  director.until(() => voter.durable.voteIn(term) === one.id, 'the voter has voted');
  second.repeat();
  director.elapse(20);
  director.world.kill(voter);
  director.world.start(voter);
  director.elapse(20);
  second.repeat();
  director.elapse(20);
  director.recover();
}

/** A log that is longer, but of an older term, must not lead: it lacks what is committed. */
function longerOlderLog(director: Director): void {
  const [old, fresh, third] = [director.node(1), director.node(2), director.node(3)];
  director.start();
  director.establish(old);
  director.elapse(300);
  director.isolate(old);
  for (let count = 0; count < 20; count += 1) director.set(old, '/a', `lost ${count}`);
  director.until(() => old.durable.last > 20, 'the old leader writes what nobody gets');
  director.elect(fresh);
  director.done(director.set(fresh, '/a', 'kept'), 'a change at the new leader');
  director.elapse(300);
  director.world.kill(fresh);
  director.mend();
  director.lose((from, _to, message) => from === third.id && message.type === 'request-vote');
  director.elapse(4_000);
  director.expect(old.raft?.state.role !== 'leader', 'the longer log does not lead');
  director.recover();
}

/** A new leader has to commit what it finds, though nobody asks it for anything. */
function commitsWhatItFinds(director: Director): void {
  const [first, second] = [director.node(1), director.node(2)];
  director.start();
  director.establish(first);
  director.elapse(300);
  const index = lastOf(first) + 1;
  director.lose((from, _to, message) => from === second.id && message.type === 'appended');
  director.lose((_from, to, message) => to !== second.id && goesBeyond(message, index - 1));
  director.set(first, '/a', 'found');
  director.until(() => second.durable.last === index, 'one follower gets the entry');
  director.world.kill(first);
  director.elapse(20);
  director.loseNothing();
  director.elect(second);
  director.until(() => director.world.ledger.last >= index, 'the entry is committed');
  director.recover();
}

/** A node that was alone for long comes back, and nobody's term or leader changes. */
function isolatedRejoins(director: Director): void {
  const [leader, lonely] = [director.node(1), director.node(3)];
  director.start();
  director.establish(leader);
  const term = leader.raft?.state.term;
  director.isolate(lonely);
  director.elapse(10_000);
  director.mend();
  director.elapse(3_000);
  director.expect(leader.raft?.state.role === 'leader', 'the leader still leads');
  director.expect(leader.raft?.state.term === term, 'the term is the same');
  director.recover();
}

/** A leader that cannot receive steps down, and one that cannot send is replaced. */
function halfDeaf(director: Director): void {
  const leader = director.node(1);
  for (const isDeaf of [true, false]) {
    director.start();
    director.establish(leader);
    for (const other of director.nodes) {
      if (other === leader) continue;
      if (isDeaf) director.cut(other, leader);
      else director.cut(leader, other);
    }
    const isReplaced = () =>
      director.nodes.some(node => node !== leader && node.raft?.state.role === 'leader');
    director.until(
      isReplaced,
      isDeaf ? 'a leader that hears nobody is replaced' : 'a mute leader is replaced',
      5_000,
    );
    director.recover();
  }
}

/** A transfer to a node that cannot be reached is given up, and changes go on. */
function transferToLaggard(director: Director): void {
  const [leader, laggard] = [director.node(1), director.node(2)];
  director.start();
  director.establish(leader);
  director.isolate(laggard);
  director.elapse(200);
  director.done(director.set(leader, '/a', 'before'), 'a change before the transfer');
  const transfer = director.ask(leader, { op: 'transfer-leader', to: laggard.id });
  director.elapse(20);
  const change = director.set(leader, '/a', 'meanwhile');
  director.until(() => transfer.outcome !== undefined, 'the transfer is answered', 2_000);
  director.done(change, 'a change during the transfer');
  director.expect(leader.raft?.state.role === 'leader', 'the old leader leads on');
  director.recover();
}

/** Everything that a follower ever got comes again, in order, when it has long gone on. */
function oldMessages(director: Director): void {
  const [leader, follower] = [director.node(1), director.node(2)];
  director.start();
  director.establish(leader);
  const seen: NodeMessage[] = [];
  director.lose((from, to, message) => {
    if (from === leader.id && to === follower.id) seen.push(message);
    return false;
  });
  for (let count = 0; count < 10; count += 1) {
    director.done(director.set(leader, '/a', `${count}`), 'a change');
    director.elapse(100);
  }
  const applied = follower.raft?.state.handed;
  for (const message of seen.splice(0)) follower.arrive(() => follower.onMessage(leader.id, message));
  director.elapse(100);
  director.expect((follower.raft?.state.handed ?? 0) >= (applied ?? 0), 'what was applied stays applied');
  director.recover();
}

/** A legal message verifies less than the follower has: what lies behind it is another leader's. */
function unverifiedSuffix(director: Director): void {
  const [leader, follower] = [director.node(1), director.node(3)];
  director.start();
  director.establish(follower);
  director.elapse(300);
  const agreed = lastOf(follower);
  director.isolate(follower);
  for (const value of ['one', 'two', 'three']) director.set(follower, '/a', value);
  director.until(() => follower.durable.last === agreed + 3, 'it has entries of its own');
  director.establish(leader);
  director.done(director.set(leader, '/a', 'kept'), 'a change at the new leader');
  const state = leader.raft?.state;
  if (state === undefined) return;
  const { term, log, commit } = state;
  const prevTerm = log.termAt(agreed - 1) ?? 0;
  const entries = log.range(agreed, agreed);
  const message = { type: 'append', term, prevIndex: agreed - 1, prevTerm, entries, commit } as const;
  follower.arrive(() => follower.onMessage(leader.id, message));
  director.elapse(50);
  director.recover();
}

export const CORE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'an entry of an earlier term is not committed by being on a majority (Figure 8)',
    size: 5,
    play: figure8,
  },
  { name: 'nobody votes twice in a term, not even across a restart', size: 3, play: voteAcrossRestart },
  { name: 'a longer log of an older term does not lead', size: 3, play: longerOlderLog },
  {
    name: 'a new leader commits what it finds, though nobody asks for anything',
    size: 3,
    play: commitsWhatItFinds,
  },
  { name: 'a node that was alone comes back without an election', size: 3, play: isolatedRejoins },
  { name: 'a leader that cannot hear or cannot speak is replaced', size: 3, play: halfDeaf },
  {
    name: 'a transfer to a node out of reach is given up, and changes go on',
    size: 3,
    play: transferToLaggard,
  },
  { name: 'a follower commits no more than a message has verified', size: 3, play: unverifiedSuffix },
  { name: 'messages of the past change nothing', size: 3, play: oldMessages },
];
