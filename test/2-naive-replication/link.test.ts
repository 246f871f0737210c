import { createServer, type Server, type Socket } from 'node:net';
import { expect } from 'chai';
import { Link } from '../../src/node/link.ts';
import { eventually } from '../shared/cluster.ts';

const pause = (ms: number) => new Promise<false>(resolve => setTimeout(resolve, ms, false));

describe('a link to another node', () => {
  let server: Server;
  let link: Link | undefined;
  let sockets: Socket[] = [];
  let lines: string[] = [];
  let ups = 0;
  let downs = 0;

  beforeEach(async () => {
    sockets = [];
    lines = [];
    ups = 0;
    downs = 0;
    server = createServer(socket => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.on('data', data => lines.push(...data.toString().trimEnd().split('\n')));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const bound = server.address();
    const port = typeof bound === 'object' ? bound?.port : 0;
    link = new Link(
      { id: 'n2', address: `127.0.0.1:${port}` },
      { op: 'peer', protocol: 1, cluster: 'c', from: 'n1', to: 'n2' },
      undefined,
      {
        up: () => {
          ups += 1;
        },
        down: () => {
          downs += 1;
        },
        answered: () => {},
      },
    );
  });
  afterEach(async () => {
    link?.close();
    for (const socket of sockets) socket.destroy();
    await new Promise(resolve => server.close(resolve));
  });

  const greeted = () => eventually('it greets', () => lines.length > 0);

  it('greets before it says anything else', async () => {
    await greeted();
    expect(JSON.parse(lines[0] ?? '')).to.deep.equal({
      op: 'peer',
      protocol: 1,
      cluster: 'c',
      from: 'n1',
      to: 'n2',
    });
    expect(link?.isUp).to.equal(false);
    sockets[0]?.write('{"ok":true}\n');
    await eventually('it is up', () => link?.isUp);
    expect(link?.send({ header: { n: 1 }, lines: [] })).to.equal(true);
    await eventually('the message arrives', () => lines[1] === '{"n":1}');
  });

  it('keeps what is said while the answer to the greeting is on its way', async () => {
    await greeted();
    expect(link?.send({ header: { n: 1 }, lines: [] })).to.equal(true);
    link?.flush();
    sockets[0]?.write('{"ok":true}\n');
    await eventually('the message arrives', () => lines[1] === '{"n":1}');
    expect(lines).to.have.length(2);
  });

  it('takes nothing while there is no connection, and says so when it breaks', async () => {
    await greeted();
    sockets[0]?.write('{"ok":true}\n');
    await eventually('it is up', () => ups === 1);
    server.close();
    sockets[0]?.destroy();
    await eventually('it is down', () => downs === 1);
    expect(link?.send({ header: { n: 1 }, lines: [] })).to.equal(false);
  });

  it('comes up again by itself', async () => {
    await greeted();
    sockets[0]?.write('{"ok":true}\n');
    await eventually('it is up', () => ups === 1);
    sockets[0]?.destroy();
    await eventually('it dials again', () => sockets.length === 2 && lines.length === 2);
    sockets[1]?.write('{"ok":true}\n');
    await eventually('it is up again', () => ups === 2);
  });

  it('dials again when the other end, which gives receipts, receives nothing for long', async () => {
    await greeted();
    sockets[0]?.write('{"ok":true,"receipts":true}\n');
    await eventually('it is up', () => ups === 1);
    expect(link?.send({ header: { n: 1 }, lines: [] })).to.equal(true);
    await eventually('it is down', () => downs === 1);
    await eventually('it dials again', () => sockets.length === 2);
  });

  it('stays where receipts come', async () => {
    await greeted();
    const [promises, silent] = [sockets[0], new Promise(resolve => setTimeout(resolve, 6_000))];
    promises?.write('{"ok":true,"receipts":true}\n');
    promises?.on('data', () => promises.write('\n'));
    await eventually('it is up', () => ups === 1);
    for (let isOver = false; !isOver; isOver = await Promise.race([silent.then(() => true), pause(100)])) {
      link?.send({ header: { n: 1 }, lines: [] });
    }
    expect(downs).to.equal(0);
  });

  it('that is refused loses what was said, and admits it', async () => {
    await greeted();
    expect(link?.send({ header: { n: 1 }, lines: [] })).to.equal(true);
    sockets[0]?.write('{"ok":false,"error":{"code":"NOT_INITIALISED","message":"not yet"}}\n');
    await eventually('it says so', () => downs === 1);
    expect(ups).to.equal(0);
  });
});
