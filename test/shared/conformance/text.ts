import { expect } from 'chai';
import { expectRefusal, type Subject } from './subject.ts';

/** Texts that some layer of some system has changed, cut or lost. */
const TEXTS: readonly string[][] = [
  ['a NUL', 'a\u0000b'],
  ['a newline', 'a\nb'],
  ['a lone carriage return', 'a\rb'],
  ['a carriage return and a newline at its end', 'a\r\n'],
  ['U+2028', 'a\u2028b\u2029c'],
  ['a byte order mark', '\ufeffa'],
  ['spaces around', ' a\t '],
  ['quotes', '"a\\"b\\'],
  ['__proto__', '__proto__'],
  ['constructor', 'constructor'],
  ['hasOwnProperty', 'hasOwnProperty'],
  ['a number', '0'],
  ['a composed character', '\u00e9'],
  ['the same character, decomposed', 'e\u0301'],
  ['beyond U+FFFF', '\u{1f600}\u{10ffff}'],
  ['a non-character', '\uffff'],
  ['DEL', '\u007f\u0080'],
  ['a surrogate’s neighbours', '\ud7ff\ue000'],
];

/** Keys and values come back code point for code point, or are refused; never repaired. */
export function text({ connect, room }: Subject): void {
  describe('text', () => {
    for (const [name = '', odd = ''] of TEXTS) {
      it(`keeps ${name} in a key and in a value as it is`, async () => {
        const client = await connect();
        for (const key of [odd, room() + odd]) {
          const set = await client.ask({ op: 'set', key, value: odd });
          expect(set.ok, JSON.stringify(set)).to.equal(true);
          expect(await client.ask({ op: 'get', key })).to.include({ key, value: odd, mod: set.mod });
          const list = await client.ask({ op: 'list', prefix: key, values: true });
          expect(list.entries[0]).to.include({ key, value: odd });
          const conflict = await client.ask({ op: 'set', key, value: '', if: { absent: true } });
          expect(expectRefusal(conflict, 'CONFLICT').key).to.equal(key);
          expect(await client.ask({ op: 'remove', key, if: { value: odd } })).to.include({ removed: 1 });
        }
      });
    }

    it('takes U+2028, U+2029, U+0085 and DEL raw in a line, and the same characters escaped', async () => {
      const client = await connect();
      const key = `${room()}raw`;
      const raw = 'a\u2028b\u2029c\u0085d\u007f';
      client.bytes(`{"op":"set","key":${JSON.stringify(key)},"value":"${raw}"}\n`);
      expect((await client.reply()).ok).to.equal(true);
      expect((await client.ask({ op: 'get', key })).value).to.equal(raw);
      client.bytes(`{"op":"set","key":${JSON.stringify(key)},"value":"\\u0061\\u2028\\ud83d\\ude00"}\n`);
      expect((await client.reply()).ok).to.equal(true);
      expect((await client.ask({ op: 'get', key })).value).to.equal('a\u2028\u{1f600}');
    });

    it('takes a lone carriage return between tokens for the white space that it is', async () => {
      const client = await connect();
      client.bytes('{"op":\r"ping"}\n');
      expect((await client.reply()).pong).to.equal(true);
    });

    it('tells composed from decomposed, and lower case from upper', async () => {
      const client = await connect();
      const at = room();
      const keys = ['\u00e9', 'e\u0301', 'E', 'e'].map(key => at + key);
      for (const key of keys) await client.ask({ op: 'set', key, value: key });
      for (const key of keys) expect((await client.ask({ op: 'get', key })).value).to.equal(key);
    });

    it('refuses a lone surrogate wherever there is text', async () => {
      const client = await connect();
      const at = room();
      for (const lone of ['\ud800', 'a\udc00', '\udc00\ud800', '\ud83dx']) {
        for (const request of [
          { op: 'set', key: at + lone, value: '' },
          { op: 'set', key: at, value: lone },
          { op: 'get', key: at + lone },
          { op: 'list', prefix: at + lone },
          { op: 'list', after: at + lone },
          { op: 'remove', key: at + lone },
          { op: 'remove', prefix: at + lone },
          { op: 'set', key: at, value: '', if: { value: lone } },
          { op: 'set', key: at, value: '', if: { key: at + lone, absent: true } },
        ]) {
          expectRefusal(await client.ask(request), 'BAD_REQUEST');
        }
        const reply = await client.ask({ op: 'ping', id: lone });
        expectRefusal(reply, 'BAD_REQUEST');
        expect(reply.id).to.equal(null);
      }
      expect((await client.ask({ op: 'list', prefix: at })).keys).to.deep.equal([]);
    });

    it('refuses an empty key', async () => {
      const client = await connect();
      for (const request of [
        { op: 'get', key: '' },
        { op: 'set', key: '', value: 'a' },
        { op: 'remove', key: '' },
        { op: 'set', key: '/a', value: 'a', if: { key: '', absent: true } },
      ]) {
        expectRefusal(await client.ask(request), 'BAD_REQUEST');
      }
    });

    it('loses nothing of a character that packets cut in two', async () => {
      const client = await connect();
      const key = `${room()}cut`;
      const value = 'é€\u{1f600}\uffff';
      const bytes = Buffer.from(`${JSON.stringify({ op: 'set', key, value })}\n`);
      for (let at = 0; at < bytes.length; at += 1) {
        client.bytes(bytes.subarray(at, at + 1));
        await new Promise(resolve => setImmediate(resolve)); // a packet of its own for each byte
      }
      expect((await client.reply()).ok).to.equal(true);
      expect((await client.ask({ op: 'get', key })).value).to.equal(value);
    });
  });
}
