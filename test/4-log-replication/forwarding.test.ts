import { expect } from 'chai';
import { Forwarding, type ForwardMessage } from '../../src/node/forwarding.ts';
import type { Responder } from '../../src/node/server.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import type { Request } from '../../src/wire/ops.ts';
import type { Outcome } from '../../src/wire/reply.ts';

describe('a request of another node', () => {
  const asked: Responder[] = [];
  const sent: ForwardMessage[] = [];
  let forwarding: Forwarding;

  beforeEach(() => {
    asked.length = 0;
    sent.length = 0;
    const transport = {
      send: (_to: string, message: ForwardMessage) => sent.push(message) > 0,
      isUp: () => true,
    };
    const service = {
      stage: 4,
      handle: (_request: object, responder: Responder) => void asked.push(responder),
    };
    forwarding = new Forwarding(transport, service, systemClock, 0);
  });

  const forward = (number: number, patience: number, request: object = { op: 'get', key: '/a' }) =>
    forwarding.step('n2', { type: 'forward', number, patience, request } as ForwardMessage);

  it('is owed an answer until it has one, and so keeps a node from closing its connections', () => {
    expect(forwarding.isOwing).to.equal(false);
    forward(1, 10_000);
    forward(2, 10_000);
    expect(forwarding.isOwing).to.equal(true);
    asked[1]?.answer({ ok: true, rev: 1 });
    expect(forwarding.isOwing).to.equal(true);
    asked[0]?.answer({ ok: true, rev: 1 });
    expect(forwarding.isOwing).to.equal(false);
    expect(sent.map(({ number }) => number)).to.deep.equal([2, 1]);
  });

  it('is owed nothing once whoever asked has given up, nor when it is refused at once', () => {
    forward(1, -1);
    forward(2, 10_000, { op: 'nonsense' });
    expect(forwarding.isOwing).to.equal(false);
    expect(sent).to.have.length(1);
    forwarding.sweep('n1');
    asked[0]?.answer({ ok: true, rev: 1 });
    expect(sent).to.have.length(2);
  });
});

describe('a request that another node is to answer', () => {
  const LEADER = { id: 'n2', address: '127.0.0.1:2' };
  let now: number;
  let sent: ForwardMessage[];
  let forwarding: Forwarding;

  beforeEach(() => {
    now = 0;
    sent = [];
    const transport = {
      send: (_to: string, message: ForwardMessage) => sent.push(message) > 0,
      isUp: () => true,
    };
    const service = { stage: 6, handle: () => {} };
    forwarding = new Forwarding(transport, service, { ...systemClock, now: () => now }, 0);
  });

  function ask(request: Request): Outcome[] {
    const answers: Outcome[] = [];
    forwarding.forward(request, { deadline: 30_000, answer: outcome => void answers.push(outcome) }, LEADER);
    return answers;
  }

  /** Lets time pass, with a look every 100 ms at who leads. */
  function pass(milliseconds: number, leader: string | null): void {
    for (const end = now + milliseconds; now < end; now += 100) forwarding.sweep(leader);
  }

  it('is given up soon when that node leads no more and says nothing, and not at its deadline', () => {
    const change = ask({ op: 'set', key: '/a', value: '1' });
    const other = ask({ op: 'transfer-leader' });
    pass(20_000, 'n2');
    expect([change, other]).to.deep.equal([[], []]);
    pass(500, null);
    pass(2_000, 'n2');
    expect(change, 'it leads again, and may yet answer').to.deep.equal([]);
    pass(500, null);
    pass(700, 'n3');
    for (const [answer] of [change, other]) {
      expect(answer).to.have.property('error').that.includes({ code: 'LEADER_LOST', definite: false });
    }
  });

  it('has the answer of a node that led, when that comes in time', () => {
    const [change, late] = [
      ask({ op: 'set', key: '/a', value: '1' }),
      ask({ op: 'set', key: '/a', value: '2' }),
    ];
    const answer = (at: number): void =>
      forwarding.step('n2', {
        type: 'forwarded',
        number: sent[at]?.number ?? 0,
        op: 'set',
        outcome: { ok: true, rev: 1, mod: 1 },
      });
    pass(500, 'n3');
    answer(0);
    pass(2_000, 'n3');
    answer(1);
    expect(change).to.deep.equal([{ ok: true, rev: 1, mod: 1 }]);
    expect(late, 'one answer each').to.have.length(1);
    expect(late[0]).to.have.property('ok', false);
  });
});
