import { expect } from 'chai';
import { splitWords, withoutComment } from '../../client/cli/words.ts';

describe('a line of the prompt', () => {
  it('ends where a comment begins, which is at a # that begins a word outside quotes', () => {
    for (const [line, words] of [
      ['set /a pg   # note', ['set', '/a', 'pg']],
      ['# nothing', []],
      ['set /a#b c#d', ['set', '/a#b', 'c#d']],
      [`set /a '#x y' # z`, ['set', '/a', '#x y']],
      ['set /a "# \\" q" # z', ['set', '/a', '# " q']],
      [`a'#'b # c`, ['a#b']],
    ] as const) {
      expect(splitWords(line), line).to.deep.equal(words);
    }
    expect(withoutComment('kill n1 # it')).to.equal('kill n1 ');
    expect(() => splitWords('set /a "open # x')).to.throw('not closed');
  });
});
