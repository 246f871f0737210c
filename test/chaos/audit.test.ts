import { expect } from 'chai';
import { encodeRecord } from '../../src/node/record.ts';
import { Audit, checkAcknowledgements } from './audit.ts';
import type { TraceEvent } from './disk-orders.ts';
import { readStrace } from './strace.ts';
import { Verdicts } from './verdicts.ts';

type Step = Omit<TraceEvent, 'at'>;

const LOG = '/data/log/1.ndjson';
const VOTE = '/data/vote.ndjson';
const entry = (index: number, value: string): Step => {
  const record = encodeRecord([index, 1, { op: 'set', key: '/a', value }]);
  return { kind: 'write', path: LOG, text: `${record}\n` } as Step;
};
const ballot = (term: number): Step =>
  ({ kind: 'write', path: VOTE, text: `${encodeRecord({ term, vote: 'n2' })}\n` }) as Step;
const sync = (call: number, path = LOG): Step => ({ kind: 'sync', call, path }) as Step;
const synced = (call: number): Step => ({ kind: 'synced', call }) as Step;
const send = (message: object): Step => ({ kind: 'send', text: `${JSON.stringify(message)}\n` }) as Step;
const appended = send({ type: 'appended', term: 1, match: 1 });
const vote = send({ type: 'vote', term: 2, pre: false, granted: true });
const reply = send({ id: 'm1', ok: true, rev: 1, mod: 1 });

function isSound(...steps: Step[]): boolean {
  const verdicts = new Verdicts();
  const audit = new Audit('n1', verdicts);
  for (const [at, step] of steps.entries()) audit.take({ ...step, at } as TraceEvent);
  checkAcknowledgements([audit.times], verdicts, 0);
  return verdicts.isSound;
}

describe('the audit of durability', () => {
  it('takes an answer after the fsync of what it rests on', () => {
    expect(isSound(entry(1, 'm1'), sync(1), synced(1), appended, reply)).to.equal(true);
    expect(isSound(ballot(2), sync(1, VOTE), synced(1), vote)).to.equal(true);
  });

  it('refuses one before the fsync has ended', () => {
    expect(isSound(entry(1, 'm1'), sync(1), appended, synced(1))).to.equal(false);
    expect(isSound(entry(1, 'm1'), sync(1), reply, synced(1))).to.equal(false);
    expect(isSound(ballot(2), sync(1, VOTE), vote, synced(1))).to.equal(false);
  });

  it('refuses one after an fsync that began before the write', () => {
    expect(isSound(entry(1, 'm0'), sync(1), entry(2, 'm1'), synced(1), reply)).to.equal(false);
  });

  it('refuses one after an fsync of another file, or one that failed', () => {
    expect(isSound(entry(1, 'm1'), sync(1, VOTE), synced(1), appended)).to.equal(false);
    expect(isSound(entry(1, 'm1'), sync(1), appended)).to.equal(false);
  });

  it('refuses a vote that was never written', () => {
    expect(isSound(vote)).to.equal(false);
  });

  it('wants a change to be durable on a majority before it is acknowledged', () => {
    const times = (durable: [string, number][], acknowledged: [string, number][]) => ({
      durable: new Map(durable),
      acknowledged: new Map(acknowledged),
    });
    const judge = (second: number) => {
      const verdicts = new Verdicts();
      const nodes = [times([['m1', 1]], [['m1', 5]]), times([['m1', second]], []), times([], [])];
      expect(checkAcknowledgements(nodes, verdicts, 0)).to.equal(1);
      return verdicts.isSound;
    };
    expect(judge(4)).to.equal(true);
    expect(judge(6)).to.equal(false);
  });

  it('reads what strace writes, with calls that others interrupt', () => {
    const text = [
      String.raw`7 1.000001 pwrite64(21</data/log/1.ndjson>, "00ff \"a\"\n\303\251", 9, 0) = 9 <0.000010>`,
      '8 1.000100 fdatasync(21</data/log/1.ndjson> <unfinished ...>',
      String.raw`7 1.000200 write(26<TCP:[127.0.0.1:1->127.0.0.1:2]>, "{}\n", 3) = 3 <0.000010>`,
      '8 1.000300 <... fdatasync resumed>) = 0 <0.000200>',
      '7 1.000400 fsync(21</data/log/1.ndjson>) = -1 EIO (Input/output error) <0.000010>',
      '7 1.000500 write(5<pipe:[3]>, "*", 1) = 1 <0.000010>',
      '7 1.000600 fsync(21</data/log/1.ndjson>) = 0 <0.000100>',
      '',
    ].join('\n');
    const events = readStrace(text).map(({ at, ...event }) => ({ ...event, at: Math.round(at * 1_000) }));
    expect(events).to.deep.equal([
      { kind: 'write', path: LOG, text: '00ff "a"\n\u00c3\u00a9', at: 1_000_001 },
      { kind: 'sync', path: LOG, call: 1, at: 1_000_100 },
      { kind: 'send', text: '{}\n', at: 1_000_200 },
      { kind: 'synced', call: 1, at: 1_000_300 },
      { kind: 'sync', path: LOG, call: 2, at: 1_000_400 },
      { kind: 'sync', path: LOG, call: 3, at: 1_000_600 },
      { kind: 'synced', call: 3, at: 1_000_700 },
    ]);
  });
});
