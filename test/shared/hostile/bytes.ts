import { expect } from 'chai';
import { IDLE_MID_LINE, MEBIBYTE, pause, type Target } from './target.ts';

const NOT_UTF8: readonly (readonly [string, readonly number[]])[] = [
  ['a continuation byte alone', [0x80]],
  ['a start byte alone', [0xc3]],
  ['three bytes that lack one', [0xe2, 0x82]],
  ['four bytes that lack one', [0xf0, 0x9f, 0x98]],
  ['an overlong slash in two bytes', [0xc0, 0xaf]],
  ['an overlong slash in three', [0xe0, 0x80, 0xaf]],
  ['an overlong slash in four', [0xf0, 0x80, 0x80, 0xaf]],
  ['an overlong NUL', [0xc0, 0x80]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['a pair of surrogates', [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]],
  ['a code point beyond U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ['a byte that is never used', [0xff]],
  ['Latin-1', [0x67, 0xfc, 0x6e]],
];

const REMOVE_ALL = '{"op":"remove","prefix":""}';

/** What is wrong below the level of JSON. */
export function bytes({ node, connect }: Target): void {
  for (const [name, wrong] of NOT_UTF8) {
    it(`refuses ${name} as BAD_ENCODING, and closes; what came before counts, what follows does not`, async () => {
      for (const tail of ['"}\n{"op":"set","key":"/behind","value":""}\n', '']) {
        const client = await connect();
        client.bytes('{"op":"ping","id":1}\n{"op":"set","key":"/bad/');
        client.bytes(Buffer.from(wrong));
        client.bytes(tail);
        client.end();
        const [first, second, ...more] = (await client.rest()).map(line => JSON.parse(line));
        expect(first).to.include({ id: 1, ok: true });
        expect(second).to.deep.include({ id: null, ok: false });
        expect(second.error).to.include({ code: 'BAD_ENCODING', definite: true, retry: false });
        expect(more).to.deep.equal([]);
      }
      const { keys } = await (await connect()).ask({ op: 'list' });
      expect(keys).to.not.include('/behind');
      expect(keys.filter((key: string) => key.startsWith('/bad'))).to.deep.equal([]);
    });
  }

  for (const [name, request] of [
    ['GET', 'GET / HTTP/1.1'],
    ['POST', 'POST /v1/kv HTTP/1.1'],
    ['POST with a path of 100,000 characters', `POST /${'x'.repeat(100_000)} HTTP/1.1`],
    ['POST of a page that was told to', 'post / HTTP/1.0'],
    ['M-SEARCH, a method with a hyphen', 'M-SEARCH * HTTP/1.1'],
    ['HTTP/2', 'PRI * HTTP/2.0'],
  ] as const) {
    it(`closes at once on an HTTP request (${name}), and executes nothing of what follows`, async () => {
      const witness = await connect();
      await witness.ask({ op: 'set', key: '/witness', value: 'here' });
      for (const ending of ['\r\n', '\n']) {
        const client = await connect();
        client.bytes([request, 'Host: localhost:7001', '', REMOVE_ALL, REMOVE_ALL, ''].join(ending));
        await client.ending();
        await expectFails(client.line());
      }
      expect((await witness.ask({ op: 'get', key: '/witness' })).value).to.equal('here');
    });
  }

  it('closes on an HTTP request behind good lines once they are answered, and executes nothing of what follows', async () => {
    const client = await connect();
    const good = ['{"op":"set","key":"/good","value":"1","id":1}', '{"op":"ping"}'];
    client.bytes([...good, 'POST / HTTP/1.1', REMOVE_ALL, ''].join('\n'));
    const replies = (await client.rest()).map(line => JSON.parse(line));
    expect(replies.map(({ ok }) => ok)).to.deep.equal([true, true]);
    expect((await (await connect()).ask({ op: 'get', key: '/good' })).value).to.equal('1');
  });

  it('bounds its memory on a line that never ends, says so, and closes', async () => {
    const before = await node().usage();
    const client = await connect({ halfOpen: true });
    const piece = Buffer.alloc(65_536, 'x');
    let sent = 0;
    let isOpen = true;
    client.socket.on('close', () => {
      isOpen = false;
    });
    for (const end = performance.now() + 10_000; isOpen && performance.now() < end; sent += piece.length) {
      if (!client.socket.write(piece)) await Promise.race([drained(client.socket), client.ending(10_000)]);
      if (sent > 10 * MEBIBYTE) await pause(5);
    }
    expect(isOpen, 'still open').to.equal(false);
    expect(sent, 'taken').to.be.greaterThan(10 * MEBIBYTE);
    const reply = await client.reply();
    expect(reply.error).to.include({ code: 'LINE_TOO_LONG', limit: MEBIBYTE });
    expect((await node().usage()).rss - before.rss).to.be.lessThan(64 * MEBIBYTE);
  });

  it('answers ten lines of 10 MB one after the other, each on its own connection', async () => {
    for (let time = 0; time < 10; time += 1) {
      const client = await connect();
      client.bytes(`{"op":"set","key":"/long","value":"${'x'.repeat(10_000_000)}"}\n`);
      client.end();
      expect((await client.reply()).error?.code).to.equal('LINE_TOO_LONG');
    }
  });

  it('takes a line that comes byte by byte', async () => {
    const client = await connect();
    const value = 'é'.repeat(1_000);
    for (const byte of Buffer.from(`{"op":"set","key":"/slow","value":"${value}"}\n`)) {
      client.bytes(Uint8Array.of(byte));
      if (byte > 127) await new Promise(resolve => setImmediate(resolve));
    }
    expect((await client.reply()).ok).to.equal(true);
    expect((await client.ask({ op: 'get', key: '/slow' })).value).to.equal(value);
  });

  it('answers a line of a million spaces, and others meanwhile', async () => {
    const [client, other] = [await connect(), await connect()];
    for (const [start, space] of [
      ['x', ' '],
      ['{', '\t'],
      ['x', '\r'],
    ]) {
      client.bytes(`${start}${space?.repeat(1_000_000)}x\n`);
      expect((await other.ask({ op: 'ping' })).pong).to.equal(true);
      expect((await client.reply()).error?.code).to.equal('BAD_JSON');
    }
  });

  it('carries out the good line behind pipelined garbage', async () => {
    const client = await connect();
    const garbage = [
      '}{',
      '\u0000\u0001',
      'x'.repeat(10_000),
      '[[[[',
      '"',
      '{"op":"get"}',
      '1e999',
      '{"op":{}}',
    ];
    client.send(...garbage, { op: 'set', key: '/good', value: 'line' });
    const replies = await client.replies(garbage.length + 1);
    expect(replies.map(reply => reply.ok)).to.deep.equal([...garbage.map(() => false), true]);
  });

  it('closes a connection that stands still in mid-line, and no other', async () => {
    const idle = await connect();
    const slow = await connect();
    const still = await connect();
    still.bytes('{"op":"ping"}\n{"op":"pi');
    const began = performance.now();
    const typing = setInterval(() => slow.bytes(' '), IDLE_MID_LINE / 5);
    try {
      await still.ending(IDLE_MID_LINE * 3);
      expect(performance.now() - began).to.be.greaterThan(IDLE_MID_LINE * 0.9);
      await pause(IDLE_MID_LINE);
    } finally {
      clearInterval(typing);
    }
    expect((await still.reply()).pong).to.equal(true);
    expect((await slow.ask('ping')).pong).to.equal(true);
    expect((await idle.ask('ping')).pong).to.equal(true);
  });
}

function drained(socket: { once(event: 'drain', listener: () => void): unknown }): Promise<void> {
  return new Promise(resolve => socket.once('drain', resolve));
}

async function expectFails(promise: Promise<unknown>): Promise<void> {
  const outcome = await promise.then(
    value => `it brought ${value}`,
    () => 'failed',
  );
  expect(outcome).to.equal('failed');
}
