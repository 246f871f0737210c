import { expect } from 'chai';
import { scripted } from '../1-client/servers.ts';
import type { Reply } from '../shared/line-client.ts';
import { isSane } from './checks.ts';
import { type Answer, Wire } from './wire.ts';

const codeOf = (answer: Answer) => (typeof answer === 'string' ? answer : answer.error?.code);

describe('a line from a node that is no JSON', () => {
  it('is the answer to all that was asked there, and one that no fault explains', async () => {
    const server = await scripted((_request, socket, nth) => {
      if (nth === 2) socket.write('{"id":1,"ok":tru\n');
    });
    const wire = new Wire(server.address);
    const answers = await Promise.all([wire.ask({ op: 'ping' }), wire.ask({ op: 'ping' })]);
    expect(answers.map(codeOf)).to.deep.equal(['GARBLED', 'GARBLED']);
    expect(isSane('GARBLED')).to.equal(false);
    wire.close();
    await server.close();
  });

  it('is none when the node ended in its midst: what was asked is of unknown outcome', async () => {
    const server = await scripted((_request, socket) => socket.end('{"id":1,"ok":tru'));
    const wire = new Wire(server.address);
    const answer = await wire.ask({ op: 'ping' });
    await server.close();
    expect(answer).to.equal('unknown');
  });

  it('is told to a watcher', async () => {
    const pushes: Reply[] = [];
    const server = await scripted((request, socket) => {
      socket.write(`{"id":${request.id},"ok":true}\n`);
      setImmediate(() => socket.write('nonsense\n'));
    });
    const wire = new Wire(server.address, push => pushes.push(push));
    await wire.ask({ op: 'watch', prefix: '/' });
    while (pushes.length === 0) await new Promise(setImmediate);
    expect(pushes[0]?.error).to.include({ code: 'GARBLED', message: 'nonsense' });
    wire.close();
    await server.close();
  });
});
