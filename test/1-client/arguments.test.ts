import { expect } from 'chai';
import { parseCall } from '../../client/cli/arguments.ts';
import { get, list, set } from '../../client/cli/keys.ts';
import { UsageError } from '../../client/cli/usage-error.ts';
import type { Verb } from '../../client/cli/verb.ts';
import { splitWords } from '../../client/cli/words.ts';

describe('the arguments of a verb', () => {
  for (const [args, words, flags] of [
    [['/n', '007'], ['/n', '007'], {}],
    [['/n', '0x10'], ['/n', '0x10'], {}],
    [['/n', '1e3'], ['/n', '1e3'], {}],
    [['/n', '-5'], ['/n', '-5'], {}],
    [['/n', '-x=1'], ['/n', '-x=1'], {}],
    [['/n', '-'], ['/n', '-'], {}],
    [['/n', ''], ['/n', ''], {}],
    [['', ''], ['', ''], {}],
    [['/n', 'true', '--json'], ['/n', 'true'], { json: true }],
    [['/n', '--json', 'true'], ['/n', 'true'], { json: true }],
    [['--if-absent', '/n', 'false'], ['/n', 'false'], { 'if-absent': true }],
    [['--json=false', '/n', 'v'], ['/n', 'v'], {}],
    [['--json', '--json', '/n', 'v'], ['/n', 'v'], { json: true }],
    [['/n', 'v', '--if-mod', '0'], ['/n', 'v'], { 'if-mod': 0 }],
    [['/n', 'v', '--if-mod=41'], ['/n', 'v'], { 'if-mod': 41 }],
    [['/n', 'v', '--address=a:1,b:2'], ['/n', 'v'], { address: 'a:1,b:2' }],
    [['/n', 'v', '--address', '007'], ['/n', 'v'], { address: '007' }],
    [['--', '--n', '--json'], ['--n', '--json'], {}],
    [['/n', '--', '--'], ['/n', '--'], {}],
    [['__proto__', 'constructor'], ['__proto__', 'constructor'], {}],
  ] as const) {
    it(`set ${args.map(arg => JSON.stringify(arg)).join(' ')}`, () => {
      expect(parseCall(set, args)).to.deep.equal({ words, flags, rest: [] });
    });
  }

  for (const [verb, args, words] of [
    [get, ['--jsn', '/k'], 'did you mean --json?'],
    [get, ['--adress', 'a:1', '/k'], 'did you mean --address?'],
    [get, ['--__proto__', '/k'], 'there is no flag --__proto__'],
    [get, ['--no-json', '/k'], 'there is no flag --no-json'],
    [get, [], 'get KEY'],
    [get, ['/a', '/b'], '"/b" is too much'],
    [get, ['-j', '/k'], '-j is no flag'],
    [get, ['/k', '--timeout'], '--timeout needs a value (MS)'],
    [get, ['--timeout', '--json', '/k'], '--timeout needs a value (MS)'],
    [get, ['/k', '--timeout', '0'], 'an integer from 1, not "0"'],
    [get, ['/k', '--timeout', '1.5'], 'an integer from 1, not "1.5"'],
    [get, ['/k', '--timeout='], 'an integer from 1, not ""'],
    [get, ['/k', '--timeout', '99999999999999999999'], 'an integer from 1'],
    [get, ['/k', '--timeout', '1', '--timeout', '2'], '--timeout is given 2 times'],
    [get, ['/k', '--json=maybe'], '--json is on or off'],
    [list, ['--depth', '0'], 'an integer from 1, not "0"'],
  ] as const) {
    it(`${verb.name} ${args.join(' ')} is wrong, and the error says how it is right`, () => {
      expect(() => parseCall(verb, args))
        .to.throw(UsageError)
        .with.property('message')
        .that.includes(words)
        .and.includes(`raftline ${verb.name} --help`);
    });
  }

  it('leaves what follows -- alone for a verb that takes a command', () => {
    const lock: Verb = { ...get, name: 'lock', takesCommand: true };
    expect(parseCall(lock, ['name', '--', 'make', '--json', '-5'])).to.deep.equal({
      words: ['name'],
      flags: {},
      rest: ['make', '--json', '-5'],
    });
  });
});

describe('the words of a line at the prompt', () => {
  for (const [line, words] of [
    ['get  /a', ['get', '/a']],
    ['set /a "two words"', ['set', '/a', 'two words']],
    ['set /a \'two "words"\'', ['set', '/a', 'two "words"']],
    ['set /a "line\\nline \\u00e9"', ['set', '/a', 'line\nline é']],
    ['set /a ""', ['set', '/a', '']],
    ['set /a" b"c', ['set', '/a bc']],
    ['set /a \\n$x#y', ['set', '/a', '\\n$x#y']],
    ['\tget /語\t', ['get', '/語']],
  ] as const) {
    it(JSON.stringify(line), () => expect(splitWords(line)).to.deep.equal(words));
  }

  it('are refused when a quote is open, or is no JSON', () => {
    expect(() => splitWords('set /a "b')).to.throw(UsageError, 'not closed');
    expect(() => splitWords("set /a 'b")).to.throw(UsageError, 'not closed');
    expect(() => splitWords('set /a "\\x"')).to.throw(UsageError, 'not a JSON string');
  });
});
