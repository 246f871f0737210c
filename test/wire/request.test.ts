import { expect } from 'chai';
import { OPS } from '../../src/wire/ops.ts';
import { checkRequest, isHttp, readLine } from '../../src/wire/request.ts';
import { withSeed } from '../shared/random.ts';

describe('a request line of HTTP', () => {
  it('is told by its method and its version, whatever the path', () => {
    for (const line of [
      'GET / HTTP/1.1\r',
      'POST /v1 HTTP/1.0',
      'options * HTTP/1.1',
      'M-SEARCH * HTTP/1.1',
      'PRI * HTTP/2.0',
      `PUT /${'x'.repeat(1_000_000)} HTTP/1.1`,
      'GET /a b\u2028c HTTP/1.1',
      'GET  / HTTP/1.1',
    ]) {
      expect(isHttp(line), line.slice(0, 40)).to.equal(true);
    }
  });

  it('is no line that could be a request of ours', () => {
    for (const line of [
      'ping',
      '{"op":"set","key":"GET / HTTP/1.1","value":"GET / HTTP/1.1"}',
      ' GET / HTTP/1.1',
      '"GET / HTTP/1.1"',
      'GET / HTTP',
      'HTTP/1.1 200 OK',
    ]) {
      expect(isHttp(line), line).to.equal(false);
    }
  });

  it('is looked for in the time that reading the line takes, or this test would not end', () => {
    for (const line of ['x'.repeat(1_000_000), 'x '.repeat(500_000), `x ${' HTTP/'.repeat(170_000)}`]) {
      expect(isHttp(line)).to.equal(false);
    }
  });
});

describe('reading a line', () => {
  const read = (line: string, stage = 0) => readLine(line, stage);

  it('gives the request with its id, and each condition in a list', () => {
    const line = '{"op":"set","id":"a","key":"/k","value":"v","if":{"mod":1},"timeout":5}';
    expect(read(line)).to.deep.equal({
      id: 'a',
      request: { op: 'set', id: 'a', key: '/k', value: 'v', if: [{ mod: 1 }], timeout: 5 },
    });
    expect(read(' ping\r')).to.deep.equal({ id: undefined, request: { op: 'ping' } });
  });

  it('takes every example line of its operations', () => {
    for (const { example } of Object.values(OPS)) {
      expect(read(example, 8), example).to.have.property('request');
      expect(checkRequest(JSON.parse(example), 8)).to.deep.equal(
        (read(example, 8) as { request: unknown }).request,
      );
    }
  });

  it('keeps the id for the refusal when it could be read, null when not, none when there was none', () => {
    expect(read('{"op":"nope","id":5}').id).to.equal(5);
    expect(read('{"op":"nope"}').id).to.equal(undefined);
    expect(read('{"op":"ping","id":{}}').id).to.equal(null);
    expect(read('[]').id).to.equal(null);
    expect(read('{').id).to.equal(null);
  });

  it('refuses an unknown field before it looks at the others, and lists the fields when none is near', () => {
    const refused = read('{"op":"get","zzzzzz":1}');
    if (!('failure' in refused)) throw new Error('it was accepted');
    expect(refused.failure).to.include({ code: 'BAD_REQUEST', field: 'zzzzzz' });
    expect(refused.failure.message).to.contain('op, id, key, read, timeout, forward');
  });

  it('takes time in proportion to the line, whatever white space it holds, or this test would not end', () => {
    for (const space of [' ', '\t', '\r', ' \t\r']) {
      const run = space.repeat(1_000_000 / space.length);
      for (const line of [`x${run}x`, `{${run}x`, `${run}x${run}`, `${run}x${run}x`]) {
        expect(read(line)).to.have.nested.property('failure.code', 'BAD_JSON');
      }
    }
  });

  it('answers in well-formed text, also where a lone surrogate is what it refuses', () => {
    const lone = '\\ud800';
    for (const request of [
      `{"op":"ping","${lone}":1}`,
      `{"op":"${lone}"}`,
      `{"op":"get","key":"${lone}"}`,
      `{"op":"get","key":{"${lone}":1}}`,
      `{"op":"get","${lone}":${'['.repeat(20)}${']'.repeat(20)}}`,
      `{"op":"set","key":"/a","value":"","if":{"${lone}":1}}`,
      `{"op":"txn","then":[{"op":"get","${lone}":1}]}`,
      `{"op":"init","nodes":{"${lone}":"a:1"}}`,
      `{"op":"init","nodes":{"n1":"${lone}"}}`,
      `{"op":"init","nodes":{"n1":"${lone}:1"}}`,
      `{"op":"add-learner","node":{"id":"n1","${lone}":"a:1"}}`,
    ]) {
      const refused = read(request, 8);
      if (!('failure' in refused)) throw new Error(`${request} was accepted`);
      for (const detail of Object.values(refused.failure)) {
        if (typeof detail === 'string') expect(detail.isWellFormed(), `${request}: ${detail}`).to.equal(true);
      }
    }
  });

  it('says of a list and of an object that is empty that it is', () => {
    const empty = (line: string) => (read(line, 8) as { failure: { message: string } }).failure.message;
    expect(empty('{"op":"remove","key":"/a","if":[]}')).to.contain('a list of them, not an empty list');
    expect(empty('{"op":"init","nodes":{}}')).to.contain('not an empty object');
    expect(empty('{"op":"get","key":{"a":1}}')).to.contain('not an object');
  });

  it('answers with words of bounded length, whatever the line', () => {
    const long = 'x'.repeat(500_000);
    for (const line of [
      long,
      `{"op":"${long}"}`,
      `{"op":"get","${long}":1}`,
      `{"op":"get","key":{"${long}":1}}`,
    ]) {
      const refused = read(line);
      if (!('failure' in refused)) throw new Error('it was accepted');
      expect(JSON.stringify(refused.failure).length).to.be.lessThan(600);
    }
  });

  it('refuses a change that fits its line, but not the one that the log would write', () => {
    const condition = '{"key":"/a","mod":9e15,"create":9e15,"version":9e15}';
    const op = `{"op":"set","key":"/a","value":"","if":[${Array(128).fill(condition).join()}]}`;
    const line = (count: number) => `{"op":"txn","then":[${Array(count).fill(op).join()}]}`;
    expect(line(128).length).to.be.lessThan(1_048_576);
    expect(read(line(128), 4)).to.have.nested.include({
      'failure.code': 'TOO_LARGE',
      'failure.limit': 1_048_576,
    });
    expect(read(line(64), 4)).to.have.property('request');
    const nuls = { op: 'set', key: '/a', value: '\0'.repeat(170_000) };
    const asked = (count: number) =>
      Object.fromEntries([
        ['op', 'txn'],
        ['then', Array(count).fill(nuls)],
      ]);
    expect(() => checkRequest(asked(2), 4)).to.throw('written out');
    expect(checkRequest(asked(1), 4)).to.have.property('op', 'txn');
  });

  it('never throws', () =>
    withSeed(random => {
      const parts = [
        '{',
        '}',
        '[',
        ']',
        '"op"',
        '"get"',
        '"key"',
        ':',
        ',',
        '1',
        'null',
        '"',
        '\\',
        '"if"',
        '"id"',
        ' ',
      ];
      for (let time = 0; time < 20_000; time += 1) {
        const line = random.text(parts, 14);
        expect(read(line), line).to.have.property('id');
      }
    }));
});
