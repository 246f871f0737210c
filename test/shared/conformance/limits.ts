import { expect } from 'chai';
import { expectRefusal, type Subject } from './subject.ts';

const LINE = 1_048_576;
const KEY = 1_024;
const VALUE = 524_288;

/** A line of exactly so many bytes that asks for a pong: JSON allows any number of spaces. */
function ping(bytes: number): string {
  return '{"op":"ping"}'.padEnd(bytes);
}

/** `[[…]]`, so many levels deep. */
function nested(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

/** Each limit: what is exactly at it passes, and one more does not. */
export function limits({ connect, room }: Subject): void {
  describe('limits', () => {
    it('takes a line of exactly 1 MiB, and answers one byte more with LINE_TOO_LONG and a close', async () => {
      for (const ending of ['\n', '']) {
        const client = await connect();
        client.bytes(ping(LINE) + ending);
        if (ending === '') client.end();
        expect((await client.reply()).pong).to.equal(true);
        const other = await connect();
        other.bytes(`${ping(20)}\n${ping(LINE + 1)}${ending}`);
        if (ending === '') other.end();
        else other.send('ping');
        const [first, second, ...more] = (await other.rest()).map(line => JSON.parse(line));
        expect(first.pong).to.equal(true);
        expect(expectRefusal(second, 'LINE_TOO_LONG').limit).to.equal(LINE);
        expect(second.id).to.equal(null);
        expect(more).to.deep.equal([]);
      }
    });

    it('counts the carriage return of \\r\\n into the line', async () => {
      const client = await connect();
      client.bytes(`${ping(LINE - 1)}\r\n${ping(LINE)}\r\n`);
      const [first, second] = (await client.rest()).map(line => JSON.parse(line));
      expect(first.pong).to.equal(true);
      expectRefusal(second, 'LINE_TOO_LONG');
    });

    for (const [bytes, unit] of [
      [1, 'k'],
      [2, 'é'],
      [4, '\u{1f600}'],
    ] as const) {
      it(`takes a key of 1,024 bytes and no more, in characters of ${bytes}`, async () => {
        const client = await connect();
        const at = room();
        const full = at.padEnd(at.length + ((KEY - at.length) % bytes), '.');
        const key = full + unit.repeat((KEY - full.length) / bytes);
        expect(Buffer.byteLength(key)).to.equal(KEY);
        expect(await client.ask({ op: 'set', key, value: 'v' })).to.include({ ok: true });
        expect((await client.ask({ op: 'get', key })).value).to.equal('v');
        expect((await client.ask({ op: 'list', prefix: key })).keys).to.deep.equal([key]);
        for (const request of [
          { op: 'get', key: `${key}x` },
          { op: 'set', key: `${key}x`, value: '' },
          { op: 'remove', key: `${key}x` },
          { op: 'set', key, value: '', if: { key: `${key}x`, absent: true } },
        ]) {
          expect(expectRefusal(await client.ask(request), 'TOO_LARGE').limit).to.equal(KEY);
        }
        expect(await client.ask({ op: 'remove', key })).to.include({ removed: 1 });
      });

      if (bytes === 1)
        it('takes no value that would not fit a line beside its key', async () => {
          const client = await connect();
          const value = '\u0001'.repeat(173_000); // six bytes each, as JSON
          const reply = await client.ask({ op: 'set', key: `${room()}big`, value });
          expect(expectRefusal(reply, 'TOO_LARGE')).to.include({ field: 'value' });
        });

      it(`takes a value of 512 KiB and no more, in characters of ${bytes}`, async () => {
        const client = await connect();
        const key = `${room()}big`;
        const value = unit.repeat(VALUE / bytes);
        const set = await client.ask({ op: 'set', key, value });
        expect(set.ok).to.equal(true);
        const error = expectRefusal(await client.ask({ op: 'set', key, value: `${value}x` }), 'TOO_LARGE');
        expect(error).to.include({ limit: VALUE, field: 'value' });
        expect((await client.ask({ op: 'get', key })).value === value, 'came back as it was').to.equal(true);
        expect(await client.ask({ op: 'remove', key, if: { value } })).to.include({ removed: 1 });
      });
    }

    it('takes 16 levels of nesting and no more', async () => {
      const client = await connect();
      // A request is the first level itself. The field is of the wrong type at either depth, and says so at 16.
      const at16 = await client.ask(`{"op":"get","id":1,"key":${nested(15)}}`);
      expect(expectRefusal(at16, 'BAD_REQUEST').message).to.contain('"key" must be');
      const at17 = await client.ask(`{"op":"get","id":1,"key":${nested(16)}}`);
      expect(expectRefusal(at17, 'BAD_REQUEST').message).to.contain('16 levels');
      const deep = await client.ask(`{"op":"get","id":1,"key":${nested(100_000)}}`);
      expectRefusal(deep, 'BAD_REQUEST');
      expect((await client.ask('ping')).pong).to.equal(true);
    });

    it('takes integers up to 2^53-1 and no more', async () => {
      const client = await connect();
      const key = `${room()}k`;
      const set = (mod: string) => client.ask(`{"op":"set","key":"${key}","value":"","if":{"mod":${mod}}}`);
      expectRefusal(await set('9007199254740991'), 'CONFLICT');
      for (const mod of [
        '9007199254740992',
        '9007199254740993',
        '1e999',
        '-1',
        '0.5',
        '"1"',
        'null',
        '1e16',
      ]) {
        expectRefusal(await set(mod), 'BAD_REQUEST');
      }
      for (const timeout of ['0', '-1', '1.5', '1e999', '9007199254740992', '"5"']) {
        expectRefusal(await client.ask(`{"op":"ping","timeout":${timeout}}`), 'BAD_REQUEST');
      }
      expect((await client.ask('{"op":"ping","timeout":9007199254740991}')).pong).to.equal(true);
      for (const limit of [0, -1, 10_001, 1.5]) {
        expectRefusal(await client.ask({ op: 'list', limit }), 'BAD_REQUEST');
        if (limit < 10_000) expectRefusal(await client.ask({ op: 'list', depth: limit }), 'BAD_REQUEST');
      }
    });

    it('refuses more than 128 conditions in words', async () => {
      const client = await connect();
      const key = `${room()}k`;
      const many = (count: number) => Array.from({ length: count }, () => ({ absent: true }));
      expect(await client.ask({ op: 'set', key, value: '', if: many(128) })).to.include({ ok: true });
      const error = expectRefusal(
        await client.ask({ op: 'set', key, value: '', if: many(129) }),
        'BAD_REQUEST',
      );
      expect(error).to.include({ field: 'if', limit: 128 });
    });
  });
}
