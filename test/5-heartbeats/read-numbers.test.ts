import { expect } from 'chai';
import type { NodeMessage } from '../../src/node/raft-codec.ts';
import { Replica } from '../../src/node/replica.ts';
import { initialConfiguration } from '../../src/raft/configuration.ts';
import { Raft } from '../../stages/5-heartbeats/raft.ts';

const CONFIGURATION = initialConfiguration(['n1', 'n2', 'n3'].map(id => ({ id, address: `${id}:1` })));

/** Starts n2 with these dice; returns the numbers under which it asks n1 for the index of its first reads. */
function numbersOfFirstReads(dice: number): readonly number[] {
  const sent: NodeMessage[] = [];
  const turns: (() => void)[] = [];
  const entry = { index: 1, term: 1, command: CONFIGURATION, size: 64 };
  const never = () => ({ stop: () => {} });
  const replica = new Replica({
    id: 'n2',
    stage: { number: 5, makeCore: (beginning, timing) => new Raft(beginning, timing, 'n1') },
    recovered: { ballot: { term: 1, vote: 'n1' }, base: { index: 0, term: 0 }, entries: [entry], commit: 1 },
    storage: {
      write: () => {},
      read: () => [],
      extent: { first: 1, last: 1, bytes: 64 },
      isFull: false,
      close: () => Promise.resolve(),
    },
    transport: { send: (_to, message) => sent.push(message) > 0, isUp: () => true },
    clock: { now: () => 0, soon: run => void turns.push(run), after: never, every: never },
    random: () => dice,
  });
  for (let read = 0; read < 3; read += 1) {
    const responder = { deadline: 1_000, answer: () => {} };
    replica.handle({ op: 'get', key: 'k', read: 'linearizable' }, responder);
    for (const turn of turns.splice(0)) turn();
  }
  return sent.flatMap(message => (message.type === 'read-index' ? [message.number] : []));
}

describe('stage 5: the numbers of reads', () => {
  it('are others after a restart, so that an answer to the former life answers nothing', () => {
    const before = numbersOfFirstReads(0.2);
    const after = numbersOfFirstReads(0.7);
    expect(before).to.have.length(3);
    expect(new Set([...before, ...after]).size).to.equal(6);
  });
});
