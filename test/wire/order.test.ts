import { expect } from 'chai';
import { afterPrefix, byCodePoint, KeyOrder } from '../../src/wire/order.ts';
import { type Random, withSeed } from '../shared/random.ts';

/** Few and adjacent, so that random strings of them are often equal, prefixes, or differ at the edges of a range. */
const ALPHABET = [
  ...[
    '\u0000',
    'a',
    'b',
    '/',
    '\u007f',
    '\u0080',
    '\u07ff',
    '\u0800',
    '\ud7ff',
    '\ue000',
    '\uff5e',
    '\uffff',
  ],
  ...['\u{10000}', '\u{103ff}', '\u{10400}', '\u{1f600}', '\u{10ffff}'],
];

const text = (random: Random) => random.text(ALPHABET, 4);

describe('the order of keys', () => {
  it('puts U+FF5E before U+1F600, unlike JavaScript', () => {
    expect('\uff5e' > '\u{1f600}').to.equal(true);
    expect(byCodePoint('\uff5e', '\u{1f600}')).to.be.lessThan(0);
    expect(byCodePoint('a\u{1f600}', 'a\uff5e')).to.be.greaterThan(0);
  });

  it('is the order of their UTF-8 bytes', () =>
    withSeed(random => {
      for (let time = 0; time < 20_000; time += 1) {
        const [a, b] = [text(random), text(random)];
        const bytes = Buffer.compare(Buffer.from(a), Buffer.from(b));
        expect(Math.sign(byCodePoint(a, b)), JSON.stringify([a, b])).to.equal(bytes);
      }
    }));

  it('has the least string behind everything that begins with a prefix', () =>
    withSeed(random => {
      for (let time = 0; time < 20_000; time += 1) {
        const [prefix, other] = [text(random), text(random)];
        const after = afterPrefix(prefix);
        const label = JSON.stringify([prefix, other, after]);
        if (after === undefined) {
          expect(
            [...prefix].every(point => point === '\u{10ffff}'),
            label,
          ).to.equal(true);
          continue;
        }
        expect(after.isWellFormed(), label).to.equal(true);
        const isBefore = byCodePoint(other, after) < 0;
        const isWithinOrBefore = other.startsWith(prefix) || byCodePoint(other, prefix) < 0;
        expect(isBefore, label).to.equal(isWithinOrBefore);
      }
    }));

  it('has nothing behind the last character, and steps over the surrogates', () => {
    expect(afterPrefix('')).to.equal(undefined);
    expect(afterPrefix('\u{10ffff}\u{10ffff}')).to.equal(undefined);
    expect(afterPrefix('a\u{10ffff}')).to.equal('b');
    expect(afterPrefix('\ud7ff')).to.equal('\ue000');
    expect(afterPrefix('\uffff')).to.equal('\u{10000}');
    expect(afterPrefix('/app/')).to.equal('/app0');
  });

  it('is the same at JavaScript’s own speed, whatever has joined the set', () =>
    withSeed(random => {
      for (let game = 0; game < 300; game += 1) {
        const order = new KeyOrder();
        const keys: string[] = [];
        const alphabet = random.chance(0.5) ? ALPHABET : ALPHABET.slice(0, 9);
        for (let time = 0; time < 40; time += 1) {
          const asked = text(random);
          for (const key of keys) {
            const label = JSON.stringify([key, asked]);
            expect(Math.sign(order.compare(key, asked)), label).to.equal(Math.sign(byCodePoint(key, asked)));
            expect(Math.sign(order.compare(asked, key)), label).to.equal(Math.sign(byCodePoint(asked, key)));
          }
          const joins = random.text(alphabet, 4);
          order.admit(joins);
          keys.push(joins);
        }
      }
    }));
});
