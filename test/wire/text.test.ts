import { expect } from 'chai';
import { isLongerThan, jsonBytes, nearest, nearestId, quoted, shortened } from '../../src/wire/text.ts';
import { withSeed } from '../shared/random.ts';

describe('text', () => {
  it('is longer than a limit exactly when its UTF-8 is', () =>
    withSeed(random => {
      for (let time = 0; time < 5_000; time += 1) {
        const text = random.text(['a', 'é', '€', '\u{1f600}'], 12);
        const limit = random.below(30);
        expect(isLongerThan(text, limit), `${text} ${limit}`).to.equal(Buffer.byteLength(text) > limit);
      }
    }));

  it('is taken for the one id that is nearest to it, and for none where several or short ones are', () => {
    expect(nearestId('n12', ['n1', 'n2', 'n3'])).to.equal(undefined);
    expect(nearestId('n13', ['n11', 'n2', 'west'])).to.equal('n11');
    expect(nearestId('wets', ['west', 'east'])).to.equal('west');
    expect(nearestId('n4', ['n1', 'n2', 'n3'])).to.equal(undefined);
    expect(nearestId('c', ['a'])).to.equal(undefined);
    expect(nearestId('north', ['south'])).to.equal(undefined);
  });

  it('counts the bytes of its JSON', () => {
    for (const text of ['', 'a', '"\\', '\u0000\n', 'é\u2028', '\u{1f600}']) {
      expect(jsonBytes(text)).to.equal(Buffer.from(JSON.stringify(text)).length);
    }
  });

  it('is quoted as JSON.stringify does', () =>
    withSeed(random => {
      for (let unit = 0; unit < 0x300; unit += 1) {
        const text = `a${String.fromCharCode(unit)}`;
        expect(quoted(text)).to.equal(JSON.stringify(text));
      }
      const units = [
        'a',
        '"',
        '\\',
        '\n',
        '\u0000',
        '\u007f',
        '\u2028',
        'é',
        '\u{1f600}',
        '\ud800',
        '~',
        '[',
        ']',
      ];
      for (let time = 0; time < 5_000; time += 1) {
        const text = random.text(units, 6);
        expect(quoted(text)).to.equal(JSON.stringify(text));
      }
    }));

  it('is shortened with an ellipsis, never in the middle of a character', () => {
    expect(shortened('abc', 3)).to.equal('abc');
    expect(shortened('abcd', 3)).to.equal('abc…');
    expect(shortened('ab\u{1f600}', 3).isWellFormed()).to.equal(true);
  });
});

describe('the nearest word', () => {
  const words = ['get', 'set', 'list', 'remove', 'status', 'transfer-leader', 'grant', 'revoke'];

  it('is found across slips of the fingers', () => {
    for (const [typed, meant] of [
      ['gte', 'get'],
      ['LIST', 'list'],
      ['lsit', 'list'],
      ['remvoe', 'remove'],
      ['removee', 'remove'],
      ['staus', 'status'],
      ['transferleader', 'transfer-leader'],
      ['grnat', 'grant'],
    ] as const) {
      expect(nearest(typed, words), typed).to.equal(meant);
    }
  });

  it('is none when nothing is near, and costs no time on a long word', () => {
    for (const typed of ['', 'x', 'delete', 'SELECT * FROM', 'é'])
      expect(nearest(typed, words), typed).to.equal(undefined);
    const began = performance.now();
    expect(nearest('x'.repeat(1_000_000), words)).to.equal(undefined);
    expect(performance.now() - began).to.be.lessThan(100);
  });
});
