import { once } from 'node:events';
import { expect } from 'chai';
import { decideSoon, sendSoon } from '../../src/node/loop-end.ts';

/** Resolves when the event loop has come round. */
const nextTurn = () => new Promise(resolve => setImmediate(resolve));

describe('the end of a turn of the event loop', () => {
  it('decides first and sends then, also what was decided there, and waits for the loop between two decisions', async () => {
    const done: string[] = [];
    sendSoon(() => done.push('send 1'));
    decideSoon(() => {
      done.push('decide 1');
      sendSoon(() => done.push('send 2'));
      decideSoon(() => done.push('decide 3'));
    });
    decideSoon(() => done.push('decide 2'));
    expect(done).to.deep.equal([]);
    await nextTurn();
    expect(done).to.deep.equal(['decide 1', 'decide 2', 'send 1', 'send 2']);
    await nextTurn();
    expect(done.slice(4)).to.deep.equal(['decide 3']);
  });

  it('goes on behind what throws', async () => {
    const done: string[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    try {
      const caught = once(process, 'uncaughtException');
      decideSoon(() => {
        throw new Error('a fault');
      });
      decideSoon(() => done.push('decide'));
      sendSoon(() => done.push('send'));
      const [error] = (await caught) as [Error];
      expect(error.message).to.equal('a fault');
      await nextTurn();
      expect(done).to.deep.equal(['decide', 'send']);
    } finally {
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
  });
});
