import { expect } from 'chai';
import type { LineClient } from '../line-client.ts';
import { MEBIBYTE, pause, type Target, until } from './target.ts';

const IDLE_CONNECTIONS = 2_000;

/** Clients that take, or hold, more than they should. */
export function load({ node, connect }: Target): void {
  /** Keys below `/heavy/` that fill a page of `list` with values. */
  async function fillPage(client: LineClient): Promise<void> {
    const value = 'v'.repeat(500_000);
    client.send({ op: 'set', key: '/heavy/1', value }, { op: 'set', key: '/heavy/2', value });
    for (const reply of await client.replies(2)) expect(reply.ok).to.equal(true);
  }

  it('stops reading a client that never reads, and bounds what it holds for it', async () => {
    const bystander = await connect();
    await fillPage(bystander);
    const before = await node().usage();
    const deaf = await connect();
    deaf.socket.pause();
    const request = '{"op":"list","prefix":"/heavy/","values":true}\n';
    deaf.bytes(request.repeat(200_000));
    await untilStuck(deaf);
    expect(deaf.socket.writableLength, 'requests that the node has not taken').to.be.greaterThan(0);
    const after = await node().usage();
    expect(after.rss - before.rss).to.be.lessThan(96 * MEBIBYTE);
    expect((await bystander.ask('ping', 1_000)).pong).to.equal(true);
    deaf.socket.resume();
    const line = await deaf.line();
    expect(JSON.parse(line).entries).to.have.length(2);
    deaf.reset();
  });

  it('does no more for a client that is gone, whatever it had asked for', async () => {
    const bystander = await connect();
    await fillPage(bystander);
    const leaver = await connect();
    leaver.bytes('{"op":"list","prefix":"/heavy/","values":true}\n'.repeat(1_300));
    await new Promise(resolve => leaver.socket.once('data', resolve));
    leaver.reset();
    await until('it is forgotten', async () => (await bystander.ask('status')).connections === 1);
    const { cpu } = await node().usage();
    await pause(500);
    expect((await node().usage()).cpu - cpu, 'milliseconds of work').to.be.lessThan(150);
  });

  it('forgets a client that resets the connection in the middle of a reply', async () => {
    const bystander = await connect();
    await fillPage(bystander);
    const { connections } = await bystander.ask('status');
    for (let time = 0; time < 20; time += 1) {
      const client = await connect();
      client.bytes('{"op":"list","prefix":"/heavy/","values":true}\n'.repeat(20));
      await new Promise(resolve => client.socket.once('data', resolve));
      client.reset();
    }
    const isForgotten = async () => (await bystander.ask('status')).connections === connections;
    await until('every broken connection is forgotten', isForgotten);
  });

  it(`serves others beside ${IDLE_CONNECTIONS} idle connections, and forgets them when they go`, async () => {
    const bystander = await connect();
    const { connections } = await bystander.ask('status');
    const before = await node().usage();
    const idle: LineClient[] = [];
    while (idle.length < IDLE_CONNECTIONS) {
      idle.push(...(await Promise.all(Array.from({ length: 100 }, () => connect()))));
    }
    await until('all are accepted', async () => {
      return (await bystander.ask('status')).connections === connections + IDLE_CONNECTIONS;
    });
    const after = await node().usage();
    expect((after.rss - before.rss) / IDLE_CONNECTIONS, 'bytes each').to.be.lessThan(64 * 1_024);
    const began = performance.now();
    expect((await bystander.ask({ op: 'set', key: '/beside', value: 'them' })).ok).to.equal(true);
    expect(performance.now() - began).to.be.lessThan(1_000);
    for (const client of idle) client.socket.destroy();
    const isForgotten = async () => (await bystander.ask('status')).connections === connections;
    await until('all are forgotten', isForgotten);
  });

  it('lets nobody wait behind a client that pipelines without end', async () => {
    const bystander = await connect();
    const greedy = await connect();
    greedy.socket.resume();
    greedy.socket.removeAllListeners('data');
    const sets = '{"op":"set","key":"/greedy","value":"x"}\n'.repeat(2_000);
    const feed = () => {
      while (greedy.socket.write(sets));
    };
    greedy.socket.on('drain', feed);
    feed();
    const began = performance.now();
    for (let time = 0; time < 50; time += 1) expect((await bystander.ask('ping')).pong).to.equal(true);
    expect(performance.now() - began, '50 pings').to.be.lessThan(1_500);
    greedy.reset();
  });
}

/** Waits until a client's bytes no longer leave: until the node does not read, and the buffers between are full. */
async function untilStuck(client: LineClient): Promise<void> {
  let last = -1;
  let still = 0;
  await until('the node stops reading', async () => {
    const sent = client.socket.bytesWritten - client.socket.writableLength;
    still = sent === last ? still + 1 : 0;
    last = sent;
    if (still > 0) await pause(50);
    return still >= 6;
  });
}
