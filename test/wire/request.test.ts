import { expect } from 'chai';
import { isHttp } from '../../src/wire/request.ts';

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

  it('is found in the time that reading the line takes', () => {
    const began = performance.now();
    for (const line of ['x'.repeat(1_000_000), 'x '.repeat(500_000), `x ${' HTTP/'.repeat(170_000)}`]) {
      expect(isHttp(line)).to.equal(false);
    }
    expect(performance.now() - began).to.be.lessThan(1_000);
  });
});
