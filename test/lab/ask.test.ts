import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect } from 'chai';
import { ask, NoAnswer } from '../../lab/ask.ts';

describe('a question to a node', () => {
  it('has no answer in half a line, with which the node has ended', async () => {
    const server = createServer(socket => socket.end('{"ok":tru')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const outcome = await ask(`127.0.0.1:${port}`, '{"op":"ping"}', 5_000).catch((error: unknown) => error);
    server.close();
    expect(outcome).to.be.instanceOf(NoAnswer);
    expect(outcome).to.include({
      message: 'it closed the connection without an answer',
      isRefused: false,
    });
  });
});
