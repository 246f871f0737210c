import { expect } from 'chai';
import { Budget } from '../../src/node/budget.ts';
import { WholeLines } from '../../src/node/whole-lines.ts';
import { withSeed } from '../shared/random.ts';

/** What comes out for packets that come in, put together, and the fault it ends with, if any. */
async function through(packets: readonly Buffer[], limit: number, budget?: Budget) {
  const lines = new WholeLines(limit, budget);
  const out: Buffer[] = [];
  lines.on('data', chunk => out.push(chunk));
  const ended = new Promise(resolve => lines.once('end', resolve));
  for (const packet of packets) lines.write(packet);
  lines.end();
  await ended;
  return { chunks: out, text: Buffer.concat(out).toString('latin1'), fault: lines.fault };
}

const SOUND = Buffer.from('ab\n\n\u{1f600}é\r\n{"a":"€"}\nlast');
const BAD = Buffer.concat([Buffer.from('ok\né\n'), Buffer.from([0x61, 0xc3, 0x0a]), Buffer.from('never\n')]);
const LONG = Buffer.from('1234567890\n12345678901\nnever\n');

describe('whole lines', () => {
  it('come out the same wherever packets cut them, and never end in mid-character', async () => {
    for (let a = 0; a <= SOUND.length; a += 1) {
      for (let b = a; b <= SOUND.length; b += 1) {
        const packets = [SOUND.subarray(0, a), SOUND.subarray(a, b), SOUND.subarray(b)];
        const { chunks, text, fault } = await through(packets, 100);
        expect([text, fault]).to.deep.equal([SOUND.toString('latin1'), undefined]);
        for (const chunk of chunks.slice(0, -1)) expect(chunk.at(-1)).to.equal(0x0a);
      }
    }
    const bytewise = await through(
      [...SOUND].map(byte => Buffer.from([byte])),
      100,
    );
    expect(bytewise.text).to.equal(SOUND.toString('latin1'));
  });

  it('end behind the last good one at a fault, wherever packets cut them', async () => {
    for (const [bytes, good, wanted] of [
      [BAD, 'ok\n\u00c3\u00a9\n', 'BAD_ENCODING'],
      [LONG, '1234567890\n', 'LINE_TOO_LONG'],
    ] as const) {
      for (let a = 0; a <= bytes.length; a += 1) {
        for (let b = a; b <= bytes.length; b += 1) {
          const packets = [bytes.subarray(0, a), bytes.subarray(a, b), bytes.subarray(b)];
          const { text, fault } = await through(packets, 10);
          expect([text, fault], `${a} ${b}`).to.deep.equal([good, wanted]);
        }
      }
    }
  });

  it('come out the same for random bytes in random packets', () =>
    withSeed(async random => {
      for (let time = 0; time < 300; time += 1) {
        const bytes = Buffer.from(random.text(['a', 'é', '\u{1f600}', '\n', '\r', ' '], 200));
        const packets: Buffer[] = [];
        for (let at = 0; at < bytes.length; ) {
          const to = at + 1 + random.below(20);
          packets.push(bytes.subarray(at, to));
          at = to;
        }
        const whole = await through([bytes], 40);
        const cut = await through(packets, 40);
        expect([cut.text, cut.fault]).to.deep.equal([whole.text, whole.fault]);
        const lines = bytes.toString('latin1').split('\n');
        const isLong = lines.some(line => line.length > 40);
        expect(whole.fault).to.equal(isLong ? 'LINE_TOO_LONG' : undefined);
        if (!isLong) expect(whole.text).to.equal(bytes.toString('latin1'));
      }
    }));

  it('share a budget with others, and leave nothing of it taken when they end', async () => {
    const budget = new Budget(50_000);
    const long = Buffer.alloc(40_000, 'x');
    const first = new WholeLines(100_000, budget);
    first.resume();
    first.write(long);
    first.write(long.subarray(0, 10_000));
    const refused = await through([long, long.subarray(0, 10_000)], 100_000, budget);
    expect(refused).to.include({ fault: 'BUSY', text: '' });
    const short = await through([long.subarray(0, 10_000), Buffer.from('\n')], 100_000, budget);
    expect(short.fault).to.equal(undefined);
    first.destroy();
    await new Promise(resolve => first.once('close', resolve));
    expect(budget.take(50_000)).to.equal(true);
    expect(budget.take(1)).to.equal(false);
  });

  it('count into no budget once their sender is trusted', async () => {
    const budget = new Budget(30_000);
    const lines = new WholeLines(40_000, budget);
    lines.resume();
    lines.write(Buffer.alloc(35_000, 'x'));
    expect(budget.take(30_000)).to.equal(false);
    lines.trust(100_000);
    expect(budget.take(30_000)).to.equal(true);
    lines.write(Buffer.alloc(60_000, 'x'));
    expect([lines.partial, lines.fault]).to.deep.equal([95_000, undefined]);
    lines.destroy();
    await new Promise(resolve => lines.once('close', resolve));
    expect(budget.take(1)).to.equal(false);
  });
});
