import type { Socket } from 'node:net';
import { expect } from 'chai';
import { Call } from '../../client/call.ts';
import type { ClientError } from '../../client/client.ts';
import { Exchange } from '../../client/exchange.ts';
import { LineLink } from '../../client/line-link.ts';
import { parseAddresses } from '../../client/roster.ts';
import type { Push, Stream } from '../../client/transport.ts';
import type { Success } from '../../src/wire/reply.ts';
import { type Heard, refusal, reply, type Scripted, scripted } from '../1-client/servers.ts';
import { eventually } from '../shared/cluster.ts';

/** What a stream has told. */
interface Told {
  readonly stream: Stream;
  readonly replies: Success[];
  readonly pushes: Push[];
  readonly ends: ClientError[];
}

describe('the streams of a client', () => {
  const open: { close(): Promise<void> }[] = [];

  function closing<T extends { close(): Promise<void> }>(what: T): T {
    open.push(what);
    return what;
  }

  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  const server = async (act: (request: Heard, socket: Socket, nth: number) => void): Promise<Scripted> =>
    closing(await scripted(act));
  const exchange = (addresses: string | string[]): Exchange =>
    closing(
      new Exchange(parseAddresses(addresses), {
        dial: (address, owner) => new LineLink(address, owner),
        isImpatient: false,
        session: undefined,
        checkEvery: 100,
      }),
    );
  const push = (socket: Socket, body: object) => socket.write(`${JSON.stringify(body)}\n`);

  function follow(user: Exchange): Told {
    const told = { replies: [] as Success[], pushes: [] as Push[], ends: [] as ClientError[] };
    const stream = user.open('watch', { prefix: '/a/' }, 5_000, {
      opened: answer => told.replies.push(answer),
      pushed: one => told.pushes.push(one),
      ended: error => told.ends.push(error),
    });
    return { stream, ...told };
  }

  const HELLO = { ok: true, rev: 1, leader: { id: 'n1', address: '127.0.0.1:1' } };

  it('bring the reply first, then each push to whom it belongs, even all in one packet', async () => {
    const node = await server((request, socket, nth) => {
      const lines = [
        { id: request.id, ok: true, rev: 4, watch: nth },
        { watch: nth, rev: 5, events: [] },
        { watch: 99, rev: 5, events: [] },
        { watch: nth, rev: 6, progress: true },
      ];
      socket.write(lines.map(line => `${JSON.stringify(line)}\n`).join(''));
    });
    const user = exchange(node.address);
    const both = [follow(user), follow(user)];
    await eventually('all has come', () => both.every(({ pushes }) => pushes.length === 2));
    for (const [at, { replies, pushes, ends }] of both.entries()) {
      expect(replies[0]).to.include({ watch: at + 1, rev: 4 });
      expect(pushes.map(({ watch, rev }) => [watch, rev])).to.deep.equal([
        [at + 1, 5],
        [at + 1, 6],
      ]);
      expect(ends).to.deep.equal([]);
    }
  });

  it('end with what the node says, once', async () => {
    const node = await server((request, socket) => {
      reply(socket, request.id, { ok: true, rev: 4, watch: 1 });
      push(socket, { watch: 1, closed: { code: 'SLOW_CONSUMER', message: 'too slow', resume: 5 } });
      push(socket, { watch: 1, rev: 6, events: [] });
    });
    const { ends, pushes } = follow(exchange(node.address));
    await eventually('it has ended', () => ends.length > 0);
    expect(ends).to.have.length(1);
    expect(ends[0]?.failure).to.include({ code: 'SLOW_CONSUMER', resume: 5 });
    expect(pushes).to.deep.equal([]);
  });

  it('end with a refusal when the node does not agree', async () => {
    const node = await server((request, socket) =>
      reply(socket, request.id, refusal('COMPACTED', true, false, { compacted: 9 })),
    );
    const { ends, replies } = follow(exchange(node.address));
    await eventually('it has ended', () => ends.length > 0);
    expect(ends[0]?.failure).to.include({ code: 'COMPACTED', compacted: 9 });
    expect(replies).to.deep.equal([]);
  });

  it('end with their connection, and with the client', async () => {
    const sockets: Socket[] = [];
    const node = await server((request, socket) => {
      sockets.push(socket);
      reply(socket, request.id, { ok: true, rev: 4, watch: 1 });
    });
    const user = exchange(node.address);
    const cut = follow(user);
    await eventually('it is open', () => cut.replies.length === 1);
    sockets[0]?.destroy();
    await eventually('it has ended', () => cut.ends.length === 1);
    expect(cut.ends[0]).to.include({ code: 'LEADER_LOST', retry: true });
    const left = follow(user);
    await eventually('it is open', () => left.replies.length === 1);
    await user.close();
    expect(left.ends[0]).to.include({ code: 'SHUTTING_DOWN', retry: false });
    const late = follow(user);
    expect(late.ends[0]).to.include({ code: 'SHUTTING_DOWN' });
  });

  it('tell the node when nobody follows any more, also when its reply is still due', async () => {
    const held: (() => void)[] = [];
    const node = await server((request, socket) => {
      if (request.op === 'watch') {
        const watch = node.heard.length;
        const answer = () => reply(socket, request.id, { ok: true, rev: 4, watch });
        if (watch === 1) answer();
        else held.push(answer);
      }
    });
    const user = exchange(node.address);
    const first = follow(user);
    await eventually('it is open', () => first.replies.length === 1);
    first.stream.close();
    await node.hears(2);
    expect(node.heard[1]).to.include({ op: 'unwatch', watch: 1 });
    const second = follow(user);
    await node.hears(3);
    second.stream.close();
    for (const answer of held) answer();
    await node.hears(4);
    expect(node.heard[3]).to.include({ op: 'unwatch', watch: 3 });
    expect([first.ends, second.ends, second.replies]).to.deep.equal([[], [], []]);
  });

  it('move on from a node that knows no leader any more', async () => {
    const lost = await server((request, socket) => {
      if (request.op === 'hello') reply(socket, request.id, { ...HELLO, leader: null });
      else reply(socket, request.id, { ok: true, rev: 4, watch: 1 });
    });
    const other = await server((request, socket) => reply(socket, request.id, { ...HELLO, watch: 1 }));
    const user = exchange([lost.address, other.address]);
    const { ends } = follow(user);
    await eventually('it has ended', () => ends.length > 0);
    expect(ends[0]).to.include({ code: 'LEADER_LOST', retry: true });
    expect(user.address).to.equal(other.address);
    await eventually('the connection is closed', () => lost.sockets.size === 0);
  });

  it('move on from a node that hangs', async () => {
    const hung = await server((request, socket) => {
      if (request.op === 'watch') reply(socket, request.id, { ok: true, rev: 4, watch: 1 });
    });
    const other = await server((request, socket) => reply(socket, request.id, HELLO));
    const user = exchange([hung.address, other.address]);
    const { ends } = follow(user);
    await eventually('it has ended', () => ends.length > 0);
    expect(ends[0]).to.include({ code: 'LEADER_LOST', retry: true });
    expect(user.address).to.equal(other.address);
  });

  it('do not keep other requests waiting', async () => {
    const node = await server((request, socket) => {
      if (request.op === 'watch') reply(socket, request.id, { ok: true, rev: 4, watch: 1 });
      else reply(socket, request.id);
    });
    const user = exchange(node.address);
    const { ends } = follow(user);
    const answer = await new Promise(resolve =>
      user.submit(
        new Call({ op: 'get', fields: { key: '/k' }, timeout: 1_000 }, resolve, resolve),
        undefined,
      ),
    );
    expect(answer).to.include({ ok: true });
    expect(ends).to.deep.equal([]);
  });
});
