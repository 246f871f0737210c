import type { Socket } from 'node:net';
import { expect } from 'chai';
import { type Client, type ClientError, connect, type WatchUpdate } from '../../client/client.ts';
import { failureOf, type Heard, refusal, reply, type Scripted, scripted } from '../1-client/servers.ts';
import { closingAfterEach } from './closing.ts';

describe('a watch of the client', () => {
  const closing = closingAfterEach();
  const client = (...args: Parameters<typeof connect>): Client => closing(connect(...args));
  const server = async (act: (request: Heard, socket: Socket, nth: number) => void): Promise<Scripted> =>
    closing(await scripted(act));

  const event = (key: string, mod: number) => ({ type: 'set', key, value: `of ${mod}`, mod, version: 1 });
  /** A push of one event. */
  const push = (socket: Socket, rev: number, key = '/a/k') =>
    socket.write(`${JSON.stringify({ watch: 1, rev, events: [event(key, rev)] })}\n`);
  const opened = (socket: Socket, { id }: Heard, rev: number) =>
    reply(socket, id, { ok: true, rev, watch: 1 });

  /** The next updates of an iterator. */
  async function take(updates: AsyncIterator<WatchUpdate>, count: number): Promise<WatchUpdate[]> {
    const taken: WatchUpdate[] = [];
    for (let n = 0; n < count; n += 1) taken.push((await updates.next()).value);
    return taken;
  }
  const revs = (updates: readonly WatchUpdate[]) => updates.map(({ rev }) => rev);

  it('begins where it is told, and where the node is when it is not', async () => {
    const node = await server((request, socket) => {
      opened(socket, request, 41);
      push(socket, request.from === undefined ? 42 : Number(request.from));
    });
    const user = client(node.address);
    expect(revs(await take(user.watch('/a/'), 1))).to.deep.equal([42]);
    expect(revs(await take(user.watch({ key: '/a/k' }, { from: 7, prev: true }), 1))).to.deep.equal([7]);
    const asked = node.heard.map(({ op, key, prefix, from, prev }) => ({ op, key, prefix, from, prev }));
    expect(asked[0]).to.include({ op: 'watch', prefix: '/a/', from: undefined });
    expect(asked[1]).to.include({ op: 'watch', key: '/a/k', from: 7, prev: true });
  });

  it('goes on behind its last revision when the connection is lost, and repeats nothing', async () => {
    const node = await server((request, socket, nth) => {
      opened(socket, request, 10);
      if (nth === 1) {
        push(socket, 11);
        push(socket, 13);
        socket.end();
      } else {
        push(socket, 13);
        push(socket, 14);
      }
    });
    expect(revs(await take(client(node.address).watch('/a/'), 3))).to.deep.equal([11, 13, 14]);
    expect(node.heard.map(({ from }) => from)).to.deep.equal([undefined, 14]);
  });

  it('goes on behind the progress that it was told of, and behind the beginning when there was nothing', async () => {
    const node = await server((request, socket, nth) => {
      opened(socket, request, 10 * nth);
      if (nth === 2) socket.write('{"watch":1,"rev":500,"progress":true}\n');
      if (nth < 3) socket.end();
      else push(socket, 501);
    });
    expect(revs(await take(client(node.address).watch('/a/'), 1))).to.deep.equal([501]);
    expect(node.heard.map(({ from }) => from)).to.deep.equal([undefined, 11, 501]);
  });

  it('goes on at another node when one is gone for good', async () => {
    const other = await server((request, socket) => {
      opened(socket, request, 20);
      push(socket, 12);
    });
    const first: Scripted = await server((request, socket) => {
      opened(socket, request, 10);
      push(socket, 11);
      void first.close();
    });
    const updates = client([first.address, other.address]).watch('/a/');
    expect(revs(await take(updates, 2))).to.deep.equal([11, 12]);
    expect(other.heard[0]).to.include({ from: 12 });
  });

  it('goes on where it was when the node found it too slow', async () => {
    const node = await server((request, socket, nth) => {
      opened(socket, request, 10);
      if (nth === 2) push(socket, 12);
      else {
        push(socket, 11);
        const closed = { code: 'SLOW_CONSUMER', message: 'slow', resume: 12 };
        socket.write(`${JSON.stringify({ watch: 1, closed })}\n`);
      }
    });
    expect(revs(await take(client(node.address).watch('/a/'), 2))).to.deep.equal([11, 12]);
    expect(node.heard[1]).to.include({ from: 12 });
  });

  for (const code of ['SHUTTING_DOWN', 'SLOW_CONSUMER', 'A_CODE_OF_TOMORROW']) {
    it(`goes on where it was when the node closes it with ${code}`, async () => {
      const node = await server((request, socket, nth) => {
        opened(socket, request, 10);
        push(socket, 10 + nth);
        if (nth === 1)
          socket.write(`${JSON.stringify({ watch: 1, closed: { code, message: 'so it is' } })}\n`);
      });
      expect(revs(await take(client(node.address).watch('/a/'), 2))).to.deep.equal([11, 12]);
      expect(node.heard[1]).to.include({ from: 12 });
    });
  }

  const ENTRY = { key: '/a/k', value: 'now', create: 3, mod: 60, version: 4 };

  for (const how of ['as a refusal', 'as a push'] as const) {
    it(`brings what is there now when its past is compacted, told ${how}`, async () => {
      let isLost = false;
      const node = await server((request, socket) => {
        const error = { code: 'COMPACTED', message: 'gone', definite: true, retry: false, compacted: 50 };
        if (request.op === 'list') {
          reply(socket, request.id, { ok: true, rev: 60, entries: [ENTRY], next: null });
        } else if (isLost) {
          opened(socket, request, 60);
          push(socket, 61);
        } else {
          isLost = true;
          if (how === 'as a refusal') reply(socket, request.id, { ok: false, error });
          else {
            opened(socket, request, 40);
            const { definite, retry, ...closed } = error;
            socket.write(`${JSON.stringify({ watch: 1, closed })}\n`);
          }
        }
      });
      const [reset, after] = await take(client(node.address).watch('/a/', { from: 5 }), 2);
      expect(reset).to.deep.equal({ type: 'reset', rev: 60, entries: [ENTRY] });
      expect(after).to.include({ type: 'events', rev: 61 });
      expect(node.heard.at(-1)).to.include({ op: 'watch', from: 61 });
    });
  }

  it('refuses to begin with what is there and with a revision, both at once', async () => {
    const both = client('127.0.0.1:1').watch('/a/', { initial: true, from: 1 });
    expect(await failureOf(both.next())).to.include({ code: 'BAD_REQUEST' });
  });

  it('begins with what is there when it is asked to', async () => {
    const node = await server((request, socket) => {
      if (request.op === 'get') reply(socket, request.id, { ok: true, rev: 60, ...ENTRY });
      else {
        opened(socket, request, 60);
        push(socket, 61);
      }
    });
    const updates = await take(client(node.address).watch({ key: '/a/k' }, { initial: true }), 2);
    expect(updates[0]).to.deep.equal({ type: 'reset', rev: 60, entries: [ENTRY] });
    expect(updates[1]).to.include({ type: 'events', rev: 61 });
  });

  it('never lets a key go back to what it was before a page showed it', async () => {
    const node = await server((request, socket) => {
      const { op, id, after } = request;
      if (op === 'list' && after === undefined) {
        reply(socket, id, { ok: true, rev: 60, entries: [ENTRY], next: '/a/k' });
      } else if (op === 'list') {
        reply(socket, id, { ok: true, rev: 65, entries: [{ ...ENTRY, key: '/a/z', mod: 64 }], next: null });
      } else {
        opened(socket, request, 65);
        for (const [rev, key] of [
          [61, '/a/z'],
          [62, '/a/k'],
          [64, '/a/z'],
          [66, '/a/z'],
        ] as const)
          push(socket, rev, key);
      }
    });
    const updates = await take(client(node.address).watch('/a/', { initial: true }), 3);
    expect(revs(updates)).to.deep.equal([60, 62, 66]);
    expect(node.heard.at(-1)).to.include({ from: 61 });
  });

  it('waits for a node that is behind, and resets when the whole cluster stays behind', async () => {
    const node = await server((request, socket, nth) => {
      if (request.op === 'list') {
        reply(socket, request.id, { ok: true, rev: 2, entries: [], next: null });
      } else if (nth === 1) {
        opened(socket, request, 10);
        push(socket, 11);
        socket.end();
      } else if (Number(request.from) > 3) {
        reply(socket, request.id, refusal('FUTURE_REV', true, false));
      } else {
        opened(socket, request, 2);
        push(socket, 3);
      }
    });
    const updates = await take(client(node.address, { timeout: 300 }).watch('/a/'), 3);
    expect(revs(updates)).to.deep.equal([11, 2, 3]);
    expect(updates[1]).to.include({ type: 'reset' });
  });

  it('throws what only the caller can mend: before it has begun every failure, afterwards what will not pass', async () => {
    const refusing = await server((request, socket) =>
      reply(socket, request.id, refusal('WRONG_STAGE', true, false)),
    );
    const error = await failureOf<ClientError>(take(client(refusing.address).watch('/a/'), 1));
    expect(error).to.include({ code: 'WRONG_STAGE' });
    const future = await server((request, socket) =>
      reply(socket, request.id, refusal('FUTURE_REV', true, false)),
    );
    const user = client(future.address, { timeout: 200 });
    const beyond = await failureOf<ClientError>(take(user.watch('/a/', { from: 9 }), 1));
    expect(beyond).to.include({ code: 'FUTURE_REV' });
    const silent = await server(() => {});
    const mute = client(silent.address, { timeout: 100 });
    expect(await failureOf<ClientError>(take(mute.watch('/a/'), 1))).to.include({ code: 'TIMEOUT' });
    const denying = await server((request, socket, nth) => {
      if (nth === 1) {
        opened(socket, request, 10);
        push(socket, 11);
        socket.end();
      } else reply(socket, request.id, refusal('DENIED', true, false));
    });
    const updates = client(denying.address).watch('/a/');
    await take(updates, 1);
    expect(await failureOf<ClientError>(take(updates, 1))).to.include({ code: 'DENIED' });
  });

  it('ends with its signal, with its loop and with its client', async () => {
    const node = await server((request, socket) => {
      if (request.op !== 'watch') return;
      opened(socket, request, 10);
      push(socket, 11);
    });
    const user = client(node.address);
    const abort = new AbortController();
    const updates = user.watch('/a/', { signal: abort.signal });
    await take(updates, 1);
    const next = failureOf<ClientError>(take(updates, 1));
    abort.abort('enough');
    expect(await next).to.include({ name: 'AbortError', cause: 'enough', definite: true });
    await node.hears(2);
    expect(node.heard[1]).to.include({ op: 'unwatch', watch: 1 });
    for await (const update of user.watch('/a/')) {
      expect(update.rev).to.equal(11);
      break;
    }
    await node.hears(4);
    expect(node.heard[3]).to.include({ op: 'unwatch' });
    const last = user.watch('/a/');
    await take(last, 1);
    const ended = failureOf<ClientError>(take(last, 1));
    await user.close();
    expect(await ended).to.include({ code: 'SHUTTING_DOWN' });
  });

  it('holds little while its reader is slow, keeps nobody else waiting, and loses nothing', async () => {
    const COUNT = 200;
    const value = 'x'.repeat(100_000);
    let most = 0;
    const node = await server((request, socket) => {
      if (request.op === 'watch') {
        opened(socket, request, 0);
        let rev = Number(request.from ?? 1);
        const first = rev;
        for (; rev <= COUNT; rev += 1) {
          const events = [{ type: 'set', key: '/a/k', value, mod: rev, version: rev }];
          socket.write(`${JSON.stringify({ watch: 1, rev, events })}\n`);
        }
        most = Math.max(most, rev - first);
      } else if (request.op === 'get') reply(socket, request.id);
    });
    const user = client(node.address);
    const updates = user.watch('/a/');
    expect(revs(await take(updates, 1))).to.deep.equal([1]);
    expect((await user.get('/k')).ok, 'while the rest is there and nobody takes it').to.equal(true);
    const others = await take(updates, COUNT - 1);
    expect(revs(others)).to.deep.equal(Array.from({ length: COUNT - 1 }, (_, n) => n + 2));
    const watches = node.heard.filter(({ op }) => op === 'watch');
    expect(watches.length, 'it was given up and taken up again').to.be.within(2, 20);
    expect(most).to.equal(COUNT);
  });
});
