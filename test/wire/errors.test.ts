import { expect } from 'chai';
import { ERRORS, failure, RaftlineError } from '../../src/wire/errors.ts';
import { encodeReply, failed, outcomeOf } from '../../src/wire/reply.ts';

describe('errors', () => {
  it('are exactly the codes of the contract', () => {
    expect(Object.keys(ERRORS)).to.have.members([
      ...[
        'BAD_JSON',
        'BAD_ENCODING',
        'BAD_REQUEST',
        'UNKNOWN_OP',
        'LINE_TOO_LONG',
        'TOO_LARGE',
        'WRONG_STAGE',
      ],
      ...['CONFLICT', 'COMPACTED', 'FUTURE_REV', 'LEASE_NOT_FOUND', 'SESSION_EXPIRED'],
      ...['NOT_LEADER', 'NO_LEADER', 'NO_QUORUM', 'NOT_INITIALISED', 'ALREADY_INITIALISED'],
      ...['CHANGE_IN_PROGRESS', 'UNKNOWN_NODE', 'NODE_UNREACHABLE', 'CLUSTER_MISMATCH'],
      ...['BUSY', 'NO_SPACE', 'SLOW_CONSUMER', 'SHUTTING_DOWN'],
      ...['TIMEOUT', 'LEADER_LOST', 'INTERNAL', 'UNAUTHENTICATED', 'DENIED'],
    ]);
  });

  it('leave the outcome open only where it is unknown', () => {
    const open = Object.entries(ERRORS).filter(([, promises]) => !promises.definite);
    expect(open.map(([code]) => code)).to.have.members(['TIMEOUT', 'LEADER_LOST', 'INTERNAL']);
  });

  it('carry their code’s promises and details, which may override them', () => {
    expect(failure('CONFLICT', 'words', { key: '/a', mod: 3 })).to.deep.equal({
      ...{ code: 'CONFLICT', message: 'words', definite: true, retry: false, key: '/a', mod: 3 },
    });
    expect(failure('TIMEOUT', 'words', { definite: true })).to.include({ definite: true, retry: true });
  });

  it('are answered as they are when they are ours, and as INTERNAL when they are not', () => {
    const ours = failure('BUSY', 'words');
    expect(outcomeOf(new RaftlineError(ours))).to.deep.equal({ ok: false, error: ours });
    for (const thrown of [new TypeError('oops'), 'oops']) {
      const outcome = outcomeOf(thrown);
      if (outcome.ok) throw new Error('it is a success');
      expect(outcome.error).to.include({ code: 'INTERNAL', definite: false });
      expect(outcome.error.message).to.contain('oops');
    }
  });
});

describe('a reply', () => {
  it('has its id first, as it was sent, or none', () => {
    const outcome = { ok: true, rev: 1, pong: true } as const;
    expect(encodeReply(undefined, outcome)).to.equal('{"ok":true,"rev":1,"pong":true}');
    expect(encodeReply('a"\n', outcome)).to.equal('{"id":"a\\"\\n","ok":true,"rev":1,"pong":true}');
    expect(encodeReply(0, outcome)).to.equal('{"id":0,"ok":true,"rev":1,"pong":true}');
    expect(encodeReply(null, failed(failure('BAD_JSON', 'x')))).to.match(
      /^\{"id":null,"ok":false,"error":\{/,
    );
  });

  it('is what JSON.stringify would write of it', () => {
    const nothing: { lease?: number } = {};
    for (const outcome of [
      { ok: true, rev: 7, key: 'é"', value: null, create: 0, mod: 0, version: 0 },
      { ok: true, rev: 7, prev: { value: 'a', create: 1, mod: 2, version: 2 } },
      { ok: true, rev: 7, keys: ['a', '\n'], next: null, local: true, share: 0.5, lease: nothing.lease },
      failed(failure('CONFLICT', 'words', { key: '/a', mod: 3 })),
    ] as const) {
      expect(encodeReply(undefined, outcome)).to.equal(JSON.stringify(outcome));
    }
  });

  it('is one line, whatever it carries', () => {
    const value = '\n\r\u0000\u2028';
    const line = encodeReply('\n', { ok: true, rev: 1, value });
    expect(line).to.not.contain('\n');
    expect(JSON.parse(line)).to.deep.equal({ id: '\n', ok: true, rev: 1, value });
  });
});
