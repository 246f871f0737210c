import { once } from 'node:events';
import { type ClientRequest, request } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { Switchboard } from '../../lab/switchboard.ts';
import { until } from './processes.ts';

/** A node as far as the network knows: it listens, and keeps what it is sent. */
class Peer {
  readonly id: string;
  readonly #server: Server;
  readonly sockets: Socket[] = [];
  received = '';

  constructor(id: string) {
    this.id = id;
    this.#server = createServer({ allowHalfOpen: true }, socket => {
      this.sockets.push(socket);
      socket.on('error', () => {});
      socket.on('data', bytes => {
        this.received += bytes;
      });
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

describe('the switchboard', () => {
  const a = new Peer('a');
  const b = new Peer('b');
  let board: Switchboard;
  let addressOfB: string;
  let dialled: Socket[];

  beforeEach(async () => {
    dialled = [];
    board = new Switchboard();
    await board.open();
    board.register('a', await a.listen());
    addressOfB = await b.listen();
    board.register('b', addressOfB);
    b.received = '';
    b.sockets.length = 0;
  });

  afterEach(async () => {
    for (const socket of dialled) socket.destroy();
    for (const peer of [a, b]) peer.close();
    await board.close();
  });

  /** A CONNECT as a node sends it. */
  function connectRequest(from: string, path = addressOfB): ClientRequest {
    const { hostname, port, username } = new URL(board.proxyOf(from));
    const authorization = `Basic ${Buffer.from(`${username}:`).toString('base64')}`;
    const headers = { 'proxy-authorization': authorization };
    return request({ method: 'CONNECT', host: hostname, port, path, headers, agent: false }).end();
  }

  /** Resolves with the status of the answer and the socket. */
  async function dial(from: string, path?: string): Promise<{ status: number | undefined; socket: Socket }> {
    const [response, socket] = await once(connectRequest(from, path), 'connect');
    dialled.push(socket);
    (socket as Socket).on('error', () => {});
    return { status: response.statusCode, socket };
  }

  /** A tunnel from a to b, and what a receives in it. */
  async function tunnel() {
    const { status, socket } = await dial('a');
    expect(status).to.equal(200);
    await until('b accepts', () => b.sockets.length > 0);
    const far = b.sockets.at(-1) as Socket;
    const near = { socket, far, received: '', hasEnded: false };
    socket.on('data', bytes => {
      near.received += bytes;
    });
    socket.on('end', () => {
      near.hasEnded = true;
    });
    return near;
  }

  /** Long enough for bytes to arrive if anything let them through. */
  const aWhile = () => new Promise(resolve => setTimeout(resolve, 150));

  it('carries bytes in both directions, and the end of each', async () => {
    const { socket, far } = await tunnel();
    socket.write('ping');
    await until('b has it', () => b.received === 'ping');
    socket.end();
    await once(far, 'end');
    far.end('late');
    const [reply] = await once(socket, 'data');
    expect(String(reply)).to.equal('late');
  });

  it('turns away who gives no known name, and who asks for an unknown node', async () => {
    expect((await dial('nobody')).status).to.equal(407);
    expect((await dial('a', '127.0.0.1:1')).status).to.equal(404);
  });

  it('says so when nobody listens there', async () => {
    b.close();
    expect((await dial('a')).status).to.equal(502);
  });

  it('holds everything back while a partition lasts, and delivers it in order afterwards', async () => {
    const near = await tunnel();
    board.partition([['a'], ['b']]);
    near.socket.write('1');
    near.far.write('x');
    await aWhile();
    near.socket.write('2');
    near.far.end('y');
    await aWhile();
    expect([b.received, near.received, near.hasEnded]).to.deep.equal(['', '', false]);
    expect(near.socket.destroyed, 'the tunnel looks alive').to.equal(false);
    board.heal();
    await until('all of it arrives', () => b.received === '12' && near.received === 'xy' && near.hasEnded);
  });

  it('does not answer a new CONNECT across a partition until it heals', async () => {
    board.partition([['a']]);
    let isAnswered = false;
    const call = dial('a').then(answer => {
      isAnswered = true;
      return answer;
    });
    await aWhile();
    expect(isAnswered).to.equal(false);
    expect(b.sockets).to.have.length(0);
    board.heal();
    expect((await call).status).to.equal(200);
  });

  it('forgets a caller who gives up during a partition', async () => {
    board.partition([['a'], ['b']]);
    const call = connectRequest('a').on('error', () => {});
    await aWhile();
    call.destroy();
    await aWhile();
    board.heal();
    await aWhile();
    expect(b.sockets).to.have.length(0);
  });

  it('turns away a caller who waits for a node that is forgotten meanwhile', async () => {
    board.partition([['a'], ['b']]);
    const call = dial('a');
    await aWhile();
    board.forget('b');
    board.heal();
    expect((await call).status).to.equal(404);
  });

  it('cuts one direction alone', async () => {
    const near = await tunnel();
    board.cut('a', 'b');
    near.socket.write('lost?');
    near.far.write('heard');
    await until('b is heard', () => near.received === 'heard');
    await aWhile();
    expect(b.received).to.equal('');
    expect(board.cuts).to.deep.equal([['a', 'b']]);
    board.heal();
    await until('a is heard', () => b.received === 'lost?');
  });

  it('mends one direction, and leaves other cuts as they are', async () => {
    const near = await tunnel();
    board.cut('a', 'b');
    board.cut('b', 'a');
    near.socket.write('late');
    near.far.write('never');
    board.mend('a', 'b');
    await until('a is heard', () => b.received === 'late');
    await aWhile();
    expect(near.received).to.equal('');
    expect(board.cuts).to.deep.equal([['b', 'a']]);
  });

  it('delays one direction alone', async () => {
    const near = await tunnel();
    board.delayLink('a', 'b', 200);
    const began = performance.now();
    near.socket.write('slow');
    near.far.write('fast');
    await until('b is heard', () => near.received === 'fast');
    expect(b.received).to.equal('');
    await until('a is heard', () => b.received === 'slow');
    expect(performance.now() - began).to.be.at.least(199);
  });

  it('does not let the death of a node be heard across a cut', async () => {
    const near = await tunnel();
    board.cut('b', 'a');
    near.far.resetAndDestroy();
    await aWhile();
    expect(near.socket.destroyed).to.equal(false);
    board.heal();
    await until('the tunnel breaks', () => near.socket.destroyed || near.hasEnded);
  });

  it('delays every byte by at least the time, and keeps their order', async () => {
    const near = await tunnel();
    board.delay('b', 200);
    const began = performance.now();
    let firstAt = 0;
    near.far.once('data', () => {
      firstAt = performance.now();
    });
    for (let number = 0; number < 50; number += 1) near.socket.write(`${number},`);
    await until('all arrive', () => b.received.endsWith('49,'));
    expect(firstAt - began).to.be.at.least(199);
    expect(b.received).to.equal(Array.from({ length: 50 }, (_, number) => `${number},`).join(''));
  });

  it('keeps the order when a delay ends while bytes are on their way', async () => {
    const near = await tunnel();
    board.delay('a', 150);
    near.socket.write('slow,');
    await new Promise(resolve => setTimeout(resolve, 50));
    board.delay('a', 0);
    near.socket.write('quick');
    await until('both arrive', () => b.received.length === 10);
    expect(b.received).to.equal('slow,quick');
  });

  it('holds a bounded amount back, and then stops reading', async () => {
    const near = await tunnel();
    board.delay('b', 60_000);
    const block = Buffer.alloc(1_048_576);
    let taken = 0;
    const pump = () => {
      while (taken < 256 && near.socket.writable) {
        taken += 1;
        if (!near.socket.write(block)) return;
      }
    };
    near.socket.on('drain', pump);
    pump();
    let before = -1;
    await until('the sender is held up', async () => {
      before = taken;
      await aWhile();
      return taken === before;
    });
    expect(taken).to.be.lessThan(64);
  });

  it('breaks what stands with a reset, and connects anew at once', async () => {
    const near = await tunnel();
    board.reset('b', 'a');
    await until('the tunnel is gone', () => near.socket.destroyed);
    expect((await dial('a')).status).to.equal(200);
  });

  it('carries a large stream unharmed', async () => {
    const near = await tunnel();
    const text = Array.from({ length: 200_000 }, (_, number) => `${number}\n`).join('');
    near.far.end(text);
    await until('all of it arrives', () => near.hasEnded);
    expect(near.received === text).to.equal(true);
  });
});
