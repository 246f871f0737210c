import { expect } from 'chai';
import { expectRefusal, type Subject } from './subject.ts';

/** Framing, ids, order, and what a line gets that is no request. */
export function lines({ connect, room }: Subject): void {
  describe('lines', () => {
    it('echoes an id as it was, and none when there was none', async () => {
      const client = await connect();
      for (const id of [
        'a',
        '',
        '0',
        '\u0000\u{1f600}',
        'x'.repeat(128),
        0,
        1,
        -1,
        2 ** 53 - 1,
        1 - 2 ** 53,
      ]) {
        const reply = await client.ask({ op: 'ping', id });
        expect(reply).to.deep.equal({ id, ok: true, rev: reply.rev, pong: true });
        expect((await client.ask({ op: 'nope', id })).id).to.equal(id);
      }
      expect(await client.ask({ op: 'ping' })).to.not.have.property('id');
      expect(await client.ask({ op: 'nope' })).to.not.have.property('id');
    });

    it('refuses an id that it could not echo, with an id of null', async () => {
      const client = await connect();
      for (const id of [
        '1.5',
        '9007199254740992',
        '1e999',
        'null',
        'true',
        '[]',
        '{}',
        `"${'é'.repeat(65)}"`,
      ]) {
        const reply = await client.ask(`{"op":"ping","id":${id}}`);
        expectRefusal(reply, 'BAD_REQUEST');
        expect(reply.id, id).to.equal(null);
      }
    });

    it('answers lines without an id in the order sent', async () => {
      const client = await connect();
      const at = room();
      const requests = Array.from({ length: 300 }, (_, n) =>
        n % 3 === 0
          ? { op: 'set', key: `${at}k`, value: String(n) }
          : n % 3 === 1
            ? { op: 'get', key: `${at}k` }
            : `not json ${n}`,
      );
      client.send(...requests);
      for (const [n, reply] of (await client.replies(requests.length)).entries()) {
        if (n % 3 === 0) expect(reply).to.have.property('mod');
        else if (n % 3 === 1) expect(reply.value).to.equal(String(n - 1));
        else expect(expectRefusal(reply, 'BAD_JSON').message).to.contain(`not json ${n}`);
      }
    });

    it('answers every line with an id exactly once', async () => {
      const client = await connect();
      const at = room();
      const ids = Array.from({ length: 500 }, (_, n) => n);
      client.send(
        ...ids.map(id => ({
          op: id % 2 ? 'get' : 'set',
          id,
          key: `${at}${id}`,
          ...(id % 2 ? {} : { value: '' }),
        })),
      );
      const replies = await client.replies(ids.length);
      expect(replies.map(reply => reply.id)).to.have.members(ids);
      expect(replies.every(reply => reply.ok)).to.equal(true);
    });

    it('gives every outstanding reply to a client that half-closes, then closes', async () => {
      const client = await connect();
      const at = room();
      const sets = Array.from({ length: 200 }, (_, n) => ({ op: 'set', key: `${at}${n}`, value: String(n) }));
      client.send(...sets, { op: 'list', prefix: at });
      client.end();
      const replies = (await client.rest()).map(line => JSON.parse(line));
      expect(replies).to.have.length(201);
      expect(replies.at(-1).keys).to.have.length(200);
    });

    it('takes a last line without its newline', async () => {
      const client = await connect();
      client.bytes('{"op":"ping"}\n{"op":"ping","id":"last"}');
      client.end();
      const replies = (await client.rest()).map(line => JSON.parse(line));
      expect(replies.map(reply => reply.id)).to.deep.equal([undefined, 'last']);
    });

    it('takes \\r\\n, bare words, and spaces around them; ignores blank lines', async () => {
      const client = await connect();
      client.bytes(
        '\r\n\n  \n{"op":"ping","id":1}\r\nping\r\n ping \n\t{"op":"ping","id":2} \r\nhelp\nstatus\nquit\n',
      );
      const replies = (await client.rest()).map(line => JSON.parse(line));
      expect(replies.map(reply => reply.id ?? Object.keys(reply)[2] ?? 'quit')).to.deep.equal([
        1,
        'pong',
        'pong',
        2,
        'ops',
        'node',
        'quit',
      ]);
    });

    it('stays open behind a line that is not JSON, and answers it with an id of null', async () => {
      const client = await connect();
      for (const line of [
        '{',
        'set a b',
        '{"op":"ping"} x',
        "{'op':'ping'}",
        '\ufeff{"op":"ping"}',
        '\u2028',
        '\u00a0ping',
        '{"op":"ping",}',
      ]) {
        const reply = await client.ask(line);
        expectRefusal(reply, 'BAD_JSON');
        expect(reply.id, line).to.equal(null);
      }
      for (const line of ['1', '"ping"', 'null', 'true', '[]', '[{"op":"ping"}]']) {
        expectRefusal(await client.ask(line), 'BAD_REQUEST');
      }
      expect((await client.ask('ping')).pong).to.equal(true);
    });

    it('suggests the op that was meant', async () => {
      const client = await connect();
      for (const [typed, meant] of [
        ['gte', 'get'],
        ['GET', 'get'],
        ['lst', 'list'],
        ['stauts', 'status'],
        ['delete', undefined],
        ['', undefined],
        ['__proto__', undefined],
        ['constructor', undefined],
        ['toString', undefined],
      ] as const) {
        const reply = await client.ask({ op: typed, id: 7 });
        const { message } = expectRefusal(reply, 'UNKNOWN_OP');
        expect(reply.id).to.equal(7);
        if (meant) expect(message).to.contain(`did you mean ${meant}?`);
        else expect(message).to.not.contain('did you mean');
      }
    });

    it('names a field that an op does not have, and the field that was meant', async () => {
      const client = await connect();
      const key = `${room()}k`;
      const refused = async (line: string | object, field: string) => {
        const error = expectRefusal(await client.ask(line), 'BAD_REQUEST');
        expect(error.field).to.equal(field);
        return error.message;
      };
      expect(await refused({ op: 'set', key, value: '', iff: {} }, 'iff')).to.contain('"if"');
      expect(await refused({ op: 'get', key, valeu: 1 }, 'valeu')).to.contain('valeu');
      expect(await refused({ op: 'ping', key }, 'key')).to.contain('key');
      expect(await refused('{"op":"ping","__proto__":{"id":9}}', '__proto__')).to.contain('__proto__');
      expect(await refused({ op: 'list', constructor: 1 }, 'constructor')).to.contain('constructor');
      expect(await refused({ op: 'set', key }, 'value')).to.contain('"value"');
      expect(await refused({ op: 'get' }, 'key')).to.contain('"key"');
      expect(await refused({ key }, 'op')).to.contain('"op"');
      expect(await refused({ op: ['get'], key }, 'op')).to.contain('"op"');
    });

    it('takes the last of a field that a line has twice, as JSON’s readers do', async () => {
      const client = await connect();
      expect(await client.ask('{"op":"nope","id":1,"op":"ping","id":2}')).to.include({ id: 2, pong: true });
    });
  });
}
