import { expect } from 'chai';
import { MEBIBYTE, pause, until } from '../shared/hostile/target.ts';
import { LineClient } from '../shared/line-client.ts';
import { type ForkedNode, forkNode, type TestOptions } from '../shared/nodes.ts';

describe('the bounds of a whole server', function () {
  this.timeout(30_000);
  let node: ForkedNode | undefined;
  const clients: LineClient[] = [];

  async function start(options: TestOptions, descriptors?: number): Promise<ForkedNode> {
    node = await forkNode(0, options, descriptors);
    return node;
  }

  async function connect(): Promise<LineClient> {
    const client = await LineClient.connect(node?.address ?? '');
    clients.push(client);
    return client;
  }

  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.close()));
    await node?.kill();
  });

  it('holds half-sent lines up to a budget; whoever asks for more is told BUSY, and short lines still pass', async () => {
    await start({ mostReceived: 16 * MEBIBYTE });
    const half = `{"op":"ping","id":1${' '.repeat(MEBIBYTE - 1_000)}`;
    const holders: LineClient[] = [];
    for (let n = 0; n < 40; n += 1) {
      const client = await connect();
      client.bytes(half);
      holders.push(client);
    }
    const isClosed = (client: LineClient) => client.socket.readableEnded;
    // Sixteen fit, and once no more are left, nobody asks for more.
    await until('what does not fit is closed', () => holders.filter(isClosed).length >= 24);
    const other = await connect();
    await other.ask('ping');
    await pause(50);
    for (const client of holders.filter(isClosed)) {
      const reply = await client.reply();
      expect(reply.id).to.equal(null);
      expect(reply.error).to.include({ code: 'BUSY', definite: true, retry: true });
    }
    const left = holders.filter(client => !isClosed(client));
    expect(left.length).to.be.within(8, 16);
    expect((await node?.usage())?.rss).to.be.lessThan(160 * MEBIBYTE);

    for (let n = 0; n < 100; n += 1) {
      other.bytes('{"op":"ping",');
      await new Promise(resolve => setImmediate(resolve));
      other.bytes(`"id":${n}}\n`);
      expect((await other.reply()).id).to.equal(n);
    }
    for (const client of left) {
      client.bytes('}\n');
      expect((await client.reply()).id).to.equal(1);
    }
    // Their room is free again.
    const late = await connect();
    late.bytes(`${half}}\n`);
    expect((await late.reply()).id).to.equal(1);
  });

  it('gives back the room of a connection that is gone in mid-line', async () => {
    await start({ mostReceived: 2 * MEBIBYTE });
    for (let n = 0; n < 10; n += 1) {
      const client = await connect();
      client.bytes(' '.repeat(MEBIBYTE - 1));
      await until('the node holds it', () => client.socket.writableLength === 0);
      const witness = await connect();
      await witness.ask('ping');
      client.reset();
      await until('it is forgotten', async () => (await witness.ask('status')).connections === 1);
      await witness.close();
    }
    const client = await connect();
    client.bytes(`${' '.repeat(MEBIBYTE - 20)}ping\n`);
    expect((await client.reply()).pong).to.equal(true);
  });

  it('holds untaken replies up to a bound, and cuts off those who left theirs the longest', async () => {
    await start({ mostUnsent: 4 * MEBIBYTE });
    const reader = await connect();
    const value = 'v'.repeat(500_000);
    reader.send({ op: 'set', key: '/1', value }, { op: 'set', key: '/2', value });
    await reader.replies(2);
    const page = { op: 'list', values: true };
    const deaf: LineClient[] = [];
    for (let n = 0; n < 20; n += 1) {
      const client = await connect();
      client.socket.pause();
      client.send(...Array.from({ length: 20 }, () => page));
      deaf.push(client);
      // Who reads gets every reply, however many do not.
      expect((await reader.ask(page)).entries).to.have.length(2);
    }
    const connections = async () => (await reader.ask('status')).connections;
    await until('those beyond the bound are cut off', async () => (await connections()) <= 6);
    expect((await node?.usage())?.rss).to.be.lessThan(192 * MEBIBYTE);

    const last = deaf.at(-1);
    last?.socket.resume();
    for (const reply of (await last?.replies(20)) ?? []) expect(reply.ok).to.equal(true);
    const first = deaf.at(0);
    first?.socket.resume();
    await first?.ending();
    for (const client of deaf) client.socket.destroy();
    await until('all are forgotten', async () => (await connections()) === 1);
    // Their room is free again: four times the bound passes.
    for (let n = 0; n < 16; n += 1) expect((await reader.ask(page)).ok).to.equal(true);
  });

  it('takes no more connections than it may, and takes the next when one has gone', async () => {
    await start({ mostConnections: 3 });
    const three = [await connect(), await connect(), await connect()];
    for (const client of three) await client.ask('ping');
    const fourth = await connect();
    await fourth.ending();
    await three[0]?.close();
    const isOpen = async () => (await three[1]?.ask('status'))?.connections === 2;
    await until('one has gone', isOpen);
    expect((await (await connect()).ask('ping')).pong).to.equal(true);
  });

  it('keeps 64 descriptors for its files, whatever connects', async function () {
    if (process.platform !== 'linux') this.skip(); // only there the system says how many are left
    const node = await start({}, 256);
    const refused = new Set<LineClient>();
    for (let n = 0; n < 300; n += 1) {
      const client = await connect();
      client.socket.on('close', () => refused.add(client));
    }
    await until('some are refused', () => refused.size >= 300 - 192);
    expect(refused.size).to.be.lessThan(300 - 128);
    expect(await node.openFiles(64)).to.equal(64);
    const open = clients.find(client => !refused.has(client));
    expect((await open?.ask('ping'))?.pong).to.equal(true);
  });
});
