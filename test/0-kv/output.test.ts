import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { expect } from 'chai';
import { Backlog } from '../../src/node/backlog.ts';
import { Output, Pieces } from '../../src/node/output.ts';

/** The replies of a client that takes everything, and the sizes of the writes in which they came. */
function outputOf(pieces: Pieces) {
  const writes: number[] = [];
  const socket = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      writes.push(chunk.length);
      done();
    },
  });
  const taker = { cutOff: () => {} };
  return { output: new Output(socket as Socket, taker, new Backlog(1_000_000), pieces), writes };
}

describe('the replies of a turn', () => {
  const LINE = 'x'.repeat(999); // and its newline

  it('leave in one write at its end, where they are few', () => {
    const { output, writes } = outputOf(new Pieces());
    expect([output.add(LINE), output.add(LINE)]).to.deep.equal([true, false]);
    expect(writes).to.deep.equal([]);
    output.flush();
    expect(writes).to.deep.equal([2_000]);
  });

  it('leave in pieces, where they are many: one early, so that a client has something to do, then larger ones', () => {
    const pieces = new Pieces();
    const [first, second] = [outputOf(pieces), outputOf(pieces)];
    for (let count = 0; count < 30; count += 1) first.output.add(LINE);
    for (let count = 0; count < 15; count += 1) second.output.add(LINE);
    expect(first.writes).to.deep.equal([9_000, 17_000]);
    expect(second.writes).to.deep.equal([]);
    first.output.flush();
    second.output.flush();
    expect([first.writes, second.writes]).to.deep.equal([[9_000, 17_000, 4_000], [15_000]]);
  });

  it('begin with an early piece in every turn', () => {
    const { output, writes } = outputOf(new Pieces());
    for (let turn = 0; turn < 2; turn += 1) {
      for (let count = 0; count < 10; count += 1) output.add(LINE);
      output.flush();
    }
    expect(writes).to.deep.equal([9_000, 1_000, 9_000, 1_000]);
  });
});
