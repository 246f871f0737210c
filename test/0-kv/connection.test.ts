import { expect } from 'chai';
import type { ServerOptions } from '../../src/node/server.ts';
import { pause, until } from '../shared/hostile/target.ts';
import { LineClient } from '../shared/line-client.ts';
import { MuteService } from '../shared/mute-service.ts';

const KIBIBYTE = 1_024;

describe('a connection to a service that takes its time', () => {
  let service: MuteService;
  let address: string;
  const clients: LineClient[] = [];

  async function start(options: ServerOptions = {}): Promise<LineClient> {
    service = new MuteService(options);
    address = await service.listen();
    return connect();
  }

  async function connect(): Promise<LineClient> {
    const client = await LineClient.connect(address);
    clients.push(client);
    return client;
  }

  const asked = () => service.asked.map(({ request }) => (request.op === 'set' ? request.value : request.op));
  const isAsked = (count: number) => until(`${count} are asked`, () => service.asked.length === count);
  const set = (value: string | number, more: object = {}) => ({
    op: 'set',
    key: '/k',
    value: String(value),
    ...more,
  });
  const get = { op: 'get', key: '/k' };

  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.close()));
    await service.server.close();
  });

  it('hands on changes without an id at once, and answers them in their order', async () => {
    const client = await start();
    client.send(set('a'), set('b'), set('c'));
    await isAsked(3);
    service.answer(2);
    service.answer(0);
    expect((await client.reply()).rev).to.equal(0);
    service.answer(1);
    expect((await client.replies(2)).map(reply => reply.rev)).to.deep.equal([1, 2]);
  });

  it('hands on nothing more of a packet once it is destroyed', async () => {
    const client = await start();
    const heard: string[] = [];
    service.server.peers = {
      accept: (_hello, connection) => {
        const line = (text: string) => {
          heard.push(text);
          if (text === 'bad') connection.destroy();
        };
        const session = { line, receive: () => {}, closed: () => heard.push('(closed)') };
        return { outcome: { ok: true, rev: 0 }, session };
      },
    };
    client.send({ op: 'peer', from: 'n2' }, 'good', 'bad', 'never');
    await until('it is closed', () => heard.includes('(closed)'));
    expect(heard).to.deep.equal(['good', 'bad', '(closed)']);
  });

  it('lets a read without an id wait for the changes before it, and a change for the reads', async () => {
    const client = await start();
    client.send(set('a'), set('b'), get, get, set('c'), get);
    await isAsked(2);
    service.answer(0);
    await client.reply();
    expect(asked()).to.deep.equal(['a', 'b']);
    service.answer(1);
    await isAsked(4);
    expect(asked()).to.deep.equal(['a', 'b', 'get', 'get']);
    service.answer(3);
    service.answer(2);
    await isAsked(5);
    service.answer(4);
    await isAsked(6);
    service.answer(5);
    expect((await client.replies(5)).map(reply => reply.rev)).to.deep.equal([1, 2, 3, 4, 5]);
  });

  it('answers lines with an id as their answers come, and keeps a refusal in its place among those without', async () => {
    const client = await start();
    client.send(set('a'), 'no json', { ...get, id: 'x' }, { op: 'nope', id: 'y' });
    await isAsked(2);
    expect((await client.reply()).id).to.equal('y');
    service.answer(1);
    expect((await client.reply()).id).to.equal('x');
    service.answer(0);
    expect((await client.reply()).ok).to.equal(true);
    expect((await client.reply()).error?.code).to.equal('BAD_JSON');
  });

  it('takes only the first answer to a request', async () => {
    const client = await start();
    client.send(set('a', { id: 1 }));
    await isAsked(1);
    service.answer(0);
    service.answer(0);
    expect((await client.reply()).id).to.equal(1);
    client.send({ op: 'nope', id: 2 });
    expect((await client.reply()).id).to.equal(2);
  });

  it('times out on its own: a change with an unknown outcome, a read with a definite one', async () => {
    const client = await start();
    client.send(set('a', { id: 'c', timeout: 100 }), { ...get, id: 'r', timeout: 100 });
    const replies = await client.replies(2);
    const [change, read] = ['c', 'r'].map(id => replies.find(reply => reply.id === id));
    expect(change?.error).to.include({ code: 'TIMEOUT', definite: false, retry: true });
    expect(read?.error).to.include({ code: 'TIMEOUT', definite: true, retry: true });
    service.answer(0);
    expect((await client.ask({ op: 'nope', id: 'next' })).id).to.equal('next');
  });

  it('does not begin what has timed out while it waited for its turn', async () => {
    const client = await start();
    client.send({ ...get, timeout: 100 }, set('late', { timeout: 100 }), set('in time'));
    const [, change] = await client.replies(2);
    expect(change?.error).to.include({ code: 'TIMEOUT', definite: true });
    await isAsked(2);
    expect(asked()).to.deep.equal(['get', 'in time']);
    service.answer(1);
    expect((await client.reply()).rev).to.equal(1);
  });

  it('gives a client that half-closed its replies, however late', async () => {
    const client = await start();
    client.send(set('a'), get);
    client.end();
    await isAsked(1);
    service.answer(0);
    await isAsked(2);
    await pause(50);
    service.answer(1);
    expect(await client.rest()).to.have.length(2);
  });

  it('reads no more lines than it may have under way, and loses none', async () => {
    const client = await start();
    const count = 3_000;
    client.send(...Array.from({ length: count }, (_, n) => set(n, { id: n })));
    await isAsked(1_024);
    await pause(50);
    expect(service.asked).to.have.length(1_024);
    for (let n = 0; n < count; n += 1) {
      await until('it is asked', () => service.asked.length > n);
      service.answer(n);
    }
    expect((await client.replies(count)).map(reply => reply.rev)).to.deep.equal(
      Array.from({ length: count }, (_, n) => n),
    );
  });

  it('answers BUSY where too much is under way at the whole server, and takes more when it is done', async () => {
    // Lines so short that what is half-sent of them, however they arrive, counts for nothing.
    await start({ mostReceived: 30 * KIBIBYTE });
    const value = 'x'.repeat(3 * KIBIBYTE);
    const some = (count: number) =>
      Array.from({ length: count }, (_, id) => set(value, { id, timeout: 20_000 }));
    const first = await connect();
    first.send(...some(12));
    const busy = await first.replies(3);
    for (const reply of busy) expect(reply.error).to.include({ code: 'BUSY', definite: true, retry: true });
    expect(busy.map(reply => reply.id)).to.deep.equal([9, 10, 11]);
    for (let n = 0; n < 9; n += 1) service.answer(n);
    await first.replies(9);
    const gone = await connect();
    gone.send(...some(9));
    await isAsked(18);
    gone.reset();
    await until('it is forgotten', () => service.server.connections === 2);
    first.send(...some(9));
    await isAsked(27);
    for (let n = 9; n < 27; n += 1) service.answer(n);
    expect((await first.replies(9)).every(reply => reply.ok)).to.equal(true);
  });

  it('lets the replies under way leave when the server shuts down, and carries out no further line', async () => {
    const client = await start();
    client.send(set('a'), get);
    await isAsked(1);
    const closed = service.server.close();
    client.send(set('late'));
    await pause(20);
    service.answer(0);
    const [done, waiting, ...more] = (await client.rest()).map(line => JSON.parse(line));
    expect(done).to.deep.equal({ ok: true, rev: 0 });
    expect(more).to.have.length(1);
    for (const refused of [waiting, ...more])
      expect(refused.error).to.include({ code: 'SHUTTING_DOWN', definite: true, retry: true });
    await closed;
    expect(asked()).to.deep.equal(['a']);
  });

  it('does not wait for ever for a client to take its last replies, or to close behind them', async () => {
    const client = await start({ idleMidLine: 300 });
    client.socket.pause();
    client.send(...Array.from({ length: 20 }, (_, n) => ({ ...get, id: n })), 'quit');
    await isAsked(21);
    const big = 'x'.repeat(500_000);
    for (const { responder } of service.asked) responder.answer({ ok: true, rev: 0, big });
    const silent = await LineClient.connect(address, { halfOpen: true });
    clients.push(silent);
    silent.bytes(Uint8Array.of(0xff, 0x0a));
    expect((await silent.reply()).error?.code).to.equal('BAD_ENCODING');
    await until('both are closed', () => service.server.connections === 0, 5_000);
  });

  it('does not take a client for idle that it has not read itself', async () => {
    const client = await start({ idleMidLine: 300 });
    client.send(set('a'), get);
    client.bytes('{"op":"ping",');
    await isAsked(1);
    await pause(600);
    service.answer(0);
    await isAsked(2);
    await pause(120);
    client.bytes('"id":"end"}\n');
    service.answer(1);
    await client.replies(2);
    await isAsked(3);
    service.answer(2);
    expect((await client.reply()).id).to.equal('end');
  });
});
