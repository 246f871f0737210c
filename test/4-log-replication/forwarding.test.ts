import { expect } from 'chai';
import { Forwarding, type ForwardMessage } from '../../src/node/forwarding.ts';
import type { Responder } from '../../src/node/server.ts';
import { systemClock } from '../../src/node/system-clock.ts';

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
    forwarding.sweep();
    asked[0]?.answer({ ok: true, rev: 1 });
    expect(sent).to.have.length(2);
  });
});
