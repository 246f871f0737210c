import type { NodeMessage } from '../../../src/node/raft-codec.ts';
import type { Director } from '../director.ts';
import type { Scenario } from '../scenarios.ts';
import type { SimNode } from '../sim-node.ts';

/** A value that fills a probing message by itself, so that what follows it travels apart. */
const LARGE = 'x'.repeat(5_000);

function lastOf({ raft }: SimNode): number {
  return raft?.state.log.last.index ?? 0;
}

function isAppend(message: NodeMessage): message is NodeMessage & { type: 'append' } {
  return message.type === 'append';
}

/** Whether a message brings an entry beyond an index. */
function goesBeyond(message: NodeMessage, index: number): boolean {
  return isAppend(message) && message.entries.some(entry => entry.index > index);
}

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
  // (c) S1 is back, leads, and replicates the old entry to S3: a majority has it. Its no-op goes nowhere.
  director.loseNothing();
  world.start(s1);
  director.lose((from, _to, message) => from === s1.id && goesBeyond(message, index));
  director.elect(s1);
  director.until(() => s3.durable.last === index, 'S3 gets the entry');
  director.elapse(300);
  // (d) S1 crashes; S5 may lead with the votes of S2, S3 and S4, and replaces the entry.
  world.kill(s1);
  director.elapse(20);
  director.loseNothing();
  world.start(s5);
  director.establish(s5);
  director.recover();
}

export const CORE_SCENARIOS: readonly Scenario[] = [
  {
    name: 'an entry of an earlier term is not committed by being on a majority (Figure 8)',
    size: 5,
    play: figure8,
  },
];
