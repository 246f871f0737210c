import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import split2 from 'split2';
import { Budget } from '../../src/node/budget.ts';
import { LineBuffer } from '../../src/node/line-buffer.ts';
import { LineInput } from '../../src/node/line-input.ts';
import { WholeLines } from '../../src/node/whole-lines.ts';
import { withSeed } from '../shared/random.ts';

/** What comes out for packets that come in, put together, and the fault it ends with, if any. */
function through(packets: readonly Buffer[], limit: number, budget?: Budget) {
  const chunks: Buffer[] = [];
  const lines = new LineBuffer(chunk => chunks.push(chunk), limit, budget);
  for (const packet of packets) lines.take(packet);
  lines.end();
  return { chunks, text: Buffer.concat(chunks).toString('latin1'), fault: lines.fault };
}

const SOUND = Buffer.from('ab\n\n\u{1f600}é\r\n{"a":"€"}\nlast');
const BAD = Buffer.concat([Buffer.from('ok\né\n'), Buffer.from([0x61, 0xc3, 0x0a]), Buffer.from('never\n')]);
const LONG = Buffer.from('1234567890\n12345678901\nnever\n');

describe('whole lines', () => {
  it('come out the same wherever packets cut them, and never end in mid-character', () => {
    for (let a = 0; a <= SOUND.length; a += 1) {
      for (let b = a; b <= SOUND.length; b += 1) {
        const packets = [SOUND.subarray(0, a), SOUND.subarray(a, b), SOUND.subarray(b)];
        const { chunks, text, fault } = through(packets, 100);
        expect([text, fault]).to.deep.equal([SOUND.toString('latin1'), undefined]);
        for (const chunk of chunks.slice(0, -1)) expect(chunk.at(-1)).to.equal(0x0a);
      }
    }
    const bytewise = through(
      [...SOUND].map(byte => Buffer.from([byte])),
      100,
    );
    expect(bytewise.text).to.equal(SOUND.toString('latin1'));
  });

  it('end behind the last good one at a fault, wherever packets cut them', () => {
    for (const [bytes, good, wanted] of [
      [BAD, 'ok\n\u00c3\u00a9\n', 'BAD_ENCODING'],
      [LONG, '1234567890\n', 'LINE_TOO_LONG'],
    ] as const) {
      for (let a = 0; a <= bytes.length; a += 1) {
        for (let b = a; b <= bytes.length; b += 1) {
          const packets = [bytes.subarray(0, a), bytes.subarray(a, b), bytes.subarray(b)];
          const { text, fault } = through(packets, 10);
          expect([text, fault], `${a} ${b}`).to.deep.equal([good, wanted]);
        }
      }
    }
  });

  it('come out the same for random bytes in random packets', () =>
    withSeed(random => {
      for (let time = 0; time < 300; time += 1) {
        const bytes = Buffer.from(random.text(['a', 'é', '\u{1f600}', '\n', '\r', ' '], 200));
        const packets: Buffer[] = [];
        for (let at = 0; at < bytes.length; ) {
          const to = at + 1 + random.below(20);
          packets.push(bytes.subarray(at, to));
          at = to;
        }
        const whole = through([bytes], 40);
        const cut = through(packets, 40);
        expect([cut.text, cut.fault]).to.deep.equal([whole.text, whole.fault]);
        const lines = bytes.toString('latin1').split('\n');
        const isLong = lines.some(line => line.length > 40);
        expect(whole.fault).to.equal(isLong ? 'LINE_TOO_LONG' : undefined);
        if (!isLong) expect(whole.text).to.equal(bytes.toString('latin1'));
      }
    }));

  it('share a budget with others, and leave nothing of it taken when they end', () => {
    const budget = new Budget(50_000);
    const long = Buffer.alloc(40_000, 'x');
    const first = new LineBuffer(() => {}, 100_000, budget);
    first.take(long);
    first.take(long.subarray(0, 10_000));
    const refused = through([long, long.subarray(0, 10_000)], 100_000, budget);
    expect(refused).to.include({ fault: 'BUSY', text: '' });
    const short = through([long.subarray(0, 10_000), Buffer.from('\n')], 100_000, budget);
    expect(short.fault).to.equal(undefined);
    first.clear();
    expect(budget.take(50_000)).to.equal(true);
    expect(budget.take(1)).to.equal(false);
  });

  it('count into no budget once their sender is trusted', () => {
    const budget = new Budget(30_000);
    const lines = new LineBuffer(() => {}, 40_000, budget);
    lines.take(Buffer.alloc(35_000, 'x'));
    expect(budget.take(30_000)).to.equal(false);
    lines.trust(100_000);
    expect(budget.take(30_000)).to.equal(true);
    lines.take(Buffer.alloc(60_000, 'x'));
    expect([lines.partial, lines.fault]).to.deep.equal([95_000, undefined]);
    lines.clear();
    expect(budget.take(1)).to.equal(false);
  });
});

/** A connection's input, what it has handed on, and what its socket was told. */
class Watched {
  readonly seen: string[] = [];
  /** Called with every line, before the next. */
  hear: (line: string) => void = () => {};
  readonly input = new LineInput(
    { pause: () => this.seen.push('(socket paused)'), resume: () => this.seen.push('(socket resumed)') },
    { onLine: line => this.#onLine(line), onEnd: () => this.seen.push(`(end: ${this.input.fault})`) },
    100,
    new Budget(1_000_000),
  );

  #onLine(line: string): void {
    this.seen.push(line);
    this.hear(line);
  }
}

/** Bytes in use by this process's objects, with all garbage collected. */
function heap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

const turn = () => new Promise(resolve => setImmediate(resolve));

describe('the lines of a connection', () => {
  it('are handed on one by one, and what lacks its newline with the end', () => {
    const { input, seen } = new Watched();
    input.take(Buffer.from('one\n\ntwo\r\nth'));
    input.take(Buffer.from('ree\né€\u{1f600}\nla'));
    input.end();
    expect(seen).to.deep.equal(['one', '', 'two\r', 'three', 'é€\u{1f600}', 'la', '(end: undefined)']);
  });

  it('wait while it is paused, those that are here as well as those that come', async () => {
    const watched = new Watched();
    const { input, seen } = watched;
    watched.hear = line => line === 'two' && input.pause();
    input.take(Buffer.from('one\ntwo\nthree\n'));
    input.take(Buffer.from('four\nfi'));
    input.end();
    expect(seen.splice(0)).to.deep.equal(['one', 'two', '(socket paused)']);
    input.resume();
    expect(seen).to.deep.equal([]);
    await turn();
    expect(seen).to.deep.equal(['three', 'four', 'fi', '(end: undefined)', '(socket resumed)']);
  });

  it('stay in order when it is paused and resumed in the midst of a line', async () => {
    const watched = new Watched();
    const { input, seen } = watched;
    watched.hear = () => {
      input.pause();
      input.resume();
    };
    input.take(Buffer.from('one\ntwo\n'));
    watched.hear = line => {
      if (line === 'four') input.pause();
    };
    input.take(Buffer.from('three\nfour\nfive\n'));
    const heard = () => seen.filter(line => !line.startsWith('('));
    await turn();
    expect(heard()).to.deep.equal(['one', 'two', 'three', 'four']);
    input.resume();
    await turn();
    expect(heard()).to.deep.equal(['one', 'two', 'three', 'four', 'five']);
  });

  it('end at a fault once those before it have been taken, and once only', async () => {
    const watched = new Watched();
    const { input, seen } = watched;
    watched.hear = () => input.pause();
    input.take(Buffer.concat([Buffer.from('one\ntwo\n'), Buffer.alloc(101, 'x')]));
    input.take(Buffer.from('never\n'));
    for (let time = 0; time < 3; time += 1) {
      input.resume();
      await turn();
    }
    input.take(Buffer.from('never\n'));
    input.end();
    // Paused again before it went on, its socket has stayed paused.
    const paused = '(socket paused)';
    const wanted = ['one', paused, 'two', paused, '(end: LINE_TOO_LONG)', '(socket resumed)'];
    expect(seen).to.deep.equal(wanted);
  });

  it('hold nothing of a long line that has been taken while those behind it wait', () => {
    const before = heap();
    const inputs = Array.from({ length: 40 }, () => {
      const input: LineInput = new LineInput(
        { pause: () => {}, resume: () => {} },
        { onLine: line => line === 'stop' && input.pause(), onEnd: () => {} },
        2_000_000,
        new Budget(10_000_000),
      );
      for (let piece = 0; piece < 16; piece += 1) input.take(Buffer.alloc(65_536, ' '));
      input.take(Buffer.from('\nstop\nwaits €\n'));
      return input;
    });
    expect(heap() - before).to.be.below(20 * 1_048_576);
    expect(inputs.every(input => input.isPaused)).to.equal(true);
  });

  it('are forgotten when it is destroyed', async () => {
    const watched = new Watched();
    watched.hear = () => watched.input.pause();
    watched.input.take(Buffer.from('one\ntwo\n'));
    watched.input.destroy();
    watched.input.resume();
    await turn();
    watched.input.end();
    expect(watched.seen).to.not.include('two').and.not.include('(end: undefined)');
  });
});

describe('a connection that is destroyed by one of its lines', () => {
  it('is handed nothing more, wherever packets cut them, and at a fault', () => {
    for (const tail of ['never\n', 'never\n\xff\n']) {
      const bytes = Buffer.from(`one\nbad\nnever\n${tail}`, 'latin1');
      for (let at = 0; at <= bytes.length; at += 1) {
        const watched = new Watched();
        watched.hear = line => line === 'bad' && watched.input.destroy();
        watched.input.take(bytes.subarray(0, at));
        watched.input.take(bytes.subarray(at));
        watched.input.end();
        expect(watched.seen, `cut at ${at}`).to.deep.equal(['one', 'bad']);
      }
    }
  });
});

describe('whole lines as a stream', () => {
  const linesOf = async (...chunks: string[]) => {
    const whole = new WholeLines(10);
    const out: string[] = [];
    const lines = whole.pipe(split2('\n')).on('data', line => out.push(line));
    for (const chunk of chunks) whole.write(chunk);
    whole.end();
    await once(lines, 'end');
    return [out, whole.fault];
  };

  it('are split as they are', async () => {
    expect(await linesOf('one\ntw', 'o\nthree')).to.deep.equal([['one', 'two', 'three'], undefined]);
  });

  it('end at a fault', async () => {
    const long = ['one\n12345678901', '23\n', 'never\n', 'x'.repeat(20)];
    expect(await linesOf(...long)).to.deep.equal([['one'], 'LINE_TOO_LONG']);
  });
});
