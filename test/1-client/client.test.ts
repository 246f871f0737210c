import { expect } from 'chai';
import { type Client, type ClientError, connect, type Entry, RaftlineError } from '../../client/client.ts';
import type { RunningNode } from '../../src/node/options.ts';
import { all, deadAddress, failureOf, reply, scripted, startNode } from './servers.ts';

describe('the client', () => {
  let node: RunningNode;
  let client: Client;

  beforeEach(async () => {
    node = await startNode();
    client = connect(node.address);
  });

  afterEach(async () => {
    await client.close();
    await node.close();
  });

  it('writes, reads and removes a key, with its revisions', async () => {
    expect(await client.set('/app/db', 'pg')).to.deep.equal({ id: 1, ok: true, rev: 1, mod: 1 });
    const found = await client.get('/app/db');
    expect(found).to.include({ key: '/app/db', value: 'pg', create: 1, mod: 1, version: 1 });
    const before = await client.set('/app/db', 'my', { prev: true, if: { mod: 1 } });
    expect(before.prev).to.deep.equal({ value: 'pg', create: 1, mod: 1, version: 1 });
    expect((await client.remove('/app/db')).removed).to.equal(1);
    expect(await client.get('/app/db')).to.include({ value: null, mod: 0 });
    await Promise.all([client.set('/a/1', ''), client.set('/a/2', ''), client.set('/b', '')]);
    expect((await client.remove({ prefix: '/a/' })).removed).to.equal(2);
  });

  it('asks a node about itself', async () => {
    expect((await client.ping()).pong).to.equal(true);
    expect(await client.hello()).to.include({ name: 'raftline', protocol: 1, node: 'n1' });
    expect((await client.status()).members).to.deep.equal([
      { id: 'n1', address: node.address, role: 'voter' },
    ]);
    expect((await client.help()).ops).to.have.property('get');
    expect(client.address).to.equal(node.address);
  });

  it('keeps a thousand requests under way on one connection, each with its own answer', async () => {
    const names = Array.from({ length: 1_000 }, (_, n) => `/n/${n}`);
    await Promise.all(names.map(name => client.set(name, `value of ${name}`)));
    const found = await Promise.all(names.map(name => client.get(name)));
    expect(found.map(reply => reply.value)).to.deep.equal(names.map(name => `value of ${name}`));
    expect((await client.status()).connections).to.equal(1);
  });

  it('matches replies by id, in whatever order they come', async () => {
    const held: (() => void)[] = [];
    const server = await scripted((request, socket) => {
      held.push(() => reply(socket, request.id, { ok: true, rev: 0, value: request.key }));
      if (held.length === 3) for (const answer of held.reverse()) answer();
    });
    const other = connect(server.address);
    const found = await Promise.all(['/a', '/b', '/c'].map(key => other.get(key)));
    expect(found.map(({ value }) => value)).to.deep.equal(['/a', '/b', '/c']);
    await other.close();
    await server.close();
  });

  it('sends what one turn of the event loop asks for in one write', async () => {
    const server = await scripted((request, socket) => reply(socket, request.id));
    const other = connect(server.address);
    await other.get('/first');
    let chunks = 0;
    for (const socket of server.sockets) socket.on('data', () => (chunks += 1));
    await Promise.all(Array.from({ length: 100 }, () => other.get('/k')));
    expect(chunks).to.equal(1);
    await other.close();
    await server.close();
  });

  it('brings text back code point for code point', async () => {
    for (const text of ['', '__proto__', 'a\nb\r\0', '\u2028', 'z\u0301 — 語 🦫', '"{}\\']) {
      await client.set(`/t/${text}`, text);
      expect((await client.get(`/t/${text}`)).value).to.equal(text);
    }
    const large = '語'.repeat(170_000);
    await client.set('/large', large);
    expect((await client.get('/large')).value).to.equal(large);
  });

  it('lists page by page, and crosses the limit of a page without loss or repetition', async () => {
    const names = Array.from({ length: 25 }, (_, n) => `/p/${String(n).padStart(2, '0')}`);
    await Promise.all([...names, '/q/deep/er'].map(name => client.set(name, name)));
    for (const limit of [1, 7, 25, 26]) {
      expect(await all(client.list('/p/', { limit }))).to.deep.equal(names);
    }
    const entries: Entry[] = [];
    for await (const entry of client.list('/p/', { values: true, limit: 4 })) entries.push(entry);
    expect(entries.map(({ key, value }) => [key, value])).to.deep.equal(names.map(name => [name, name]));
    expect(await all(client.list('', { depth: 1 }))).to.deep.equal(['/p/', '/q/']);
    expect(await all(client.list('/none'))).to.deep.equal([]);
  });

  it('lists what is larger than a page may be in bytes', async () => {
    const value = 'x'.repeat(400_000);
    for (const name of ['/v/1', '/v/2', '/v/3', '/v/4']) await client.set(name, value);
    const sizes: (number | undefined)[] = [];
    for await (const { value: found } of client.list('/v/', { values: true })) sizes.push(found?.length);
    expect(sizes).to.deep.equal([400_000, 400_000, 400_000, 400_000]);
  });

  it('rejects with a typed error that keeps the promises of the reply', async () => {
    await client.set('/app/db', 'pg');
    const error = await failureOf<ClientError>(client.set('/app/db', 'my', { if: { mod: 41 } }));
    expect(error).to.be.instanceOf(RaftlineError);
    expect(error).to.include({ code: 'CONFLICT', definite: true, retry: false, op: 'set' });
    expect(error.failure).to.include({ key: '/app/db', mod: 1 });
    expect(error.address).to.equal(node.address);
    expect(error.message).to.include('/app/db is at 1, not 41');
    expect(JSON.parse(error.line ?? '').error.code).to.equal('CONFLICT');
  });

  it('refuses by itself what no node would read', async () => {
    const long = await failureOf<ClientError>(client.set('/k', '\u0001'.repeat(500_000)));
    expect(long).to.include({ code: 'LINE_TOO_LONG', definite: true });
    for (const timeout of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(await failureOf<ClientError>(client.get('/k', { timeout }))).to.include({ code: 'BAD_REQUEST' });
    }
    expect(await failureOf<ClientError>(client.request('get', { id: 7 }))).to.include({
      code: 'BAD_REQUEST',
    });
    expect(await failureOf<ClientError>(client.set('/k', '\ud800'))).to.include({ code: 'BAD_REQUEST' });
    expect(() => connect('127.0.0.1')).to.throw(RaftlineError, 'it has no port');
    expect(() => connect('')).to.throw(RaftlineError, 'no address');
    expect(() => connect(['127.0.0.1:0'])).to.throw(RaftlineError, 'port 0');
    expect(await client.get('/k'), 'and goes on').to.include({ value: null });
  });

  it('takes addresses in every spelling, and tries them in turn', async () => {
    const dead = await deadAddress();
    const spellings = [
      `${dead},${node.address}`,
      [dead, `tcp://${node.address}`],
      [`http://${dead}/`, ` ${node.address} `],
      `${node.address},${node.address},`,
    ];
    for (const addresses of spellings) {
      const other = connect(addresses, { failFast: true });
      expect((await other.ping()).pong).to.equal(true);
      expect(other.address).to.equal(node.address);
      await other.close();
    }
  });

  it('speaks to a node at an IPv6 address', async function () {
    const six = await startNode('[::1]:0').catch(() => undefined);
    if (six === undefined) {
      process.stderr.write('      skipped: this machine has no IPv6 loopback\n');
      this.skip();
    }
    const other = connect(six.address);
    await other.set('/six', '6');
    expect(other.address).to.match(/^\[::1\]:\d+$/);
    await other.close();
    await six.close();
  });
});
