import { expect } from 'chai';
import { checkLinearizable } from './linearizability.ts';
import { Random } from './random.ts';
import { type Action, EMPTY, type Operation, type Register, type Result, step } from './register.ts';

let clients = 0;

/** One operation on the key `k`, by a client of its own. */
function op(invoked: number, returned: number, action: Action, result: Result, key = 'k'): Operation {
  clients += 1;
  return { key, client: `c${clients}`, action, invoked, returned, result };
}

const set = (value: string, mod?: number): [Action, Result] => [
  { op: 'set', value },
  mod === undefined ? { kind: 'ok' } : { kind: 'ok', mod },
];
const get = (value: string | null, mod?: number): [Action, Result] => [
  { op: 'get' },
  mod === undefined ? { kind: 'ok', value } : { kind: 'ok', value, mod },
];
const remove = (removed: number): [Action, Result] => [{ op: 'remove' }, { kind: 'ok', removed }];
const unknownSet = (value: string): [Action, Result] => [{ op: 'set', value }, { kind: 'unknown' }];
const failedSet = (value: string): [Action, Result] => [{ op: 'set', value }, { kind: 'failed' }];
const setIf = (value: string, mod: number, result: Result): [Action, Result] => [
  { op: 'set', value, if: { mod } },
  result,
];
const create = (value: string, result: Result): [Action, Result] => [
  { op: 'set', value, if: { absent: true } },
  result,
];

describe('the linearizability checker', () => {
  const good: Readonly<Record<string, readonly Operation[]>> = {
    'nothing at all': [],
    'a read before anything': [op(1, 2, ...get(null, 0))],
    'one after the other': [
      op(1, 2, ...set('a', 1)),
      op(3, 4, ...get('a', 1)),
      op(5, 6, ...remove(1)),
      op(7, 8, ...get(null, 0)),
    ],
    'a read beside a write sees what was before': [
      op(1, 2, ...set('a')),
      op(3, 6, ...set('b')),
      op(4, 5, ...get('a')),
    ],
    'a read beside a write sees what comes': [
      op(1, 2, ...set('a')),
      op(3, 6, ...set('b')),
      op(4, 5, ...get('b')),
    ],
    'two reads beside a write, the old value first': [
      op(1, 2, ...set('a')),
      op(3, 9, ...set('b')),
      op(4, 5, ...get('a')),
      op(6, 7, ...get('b')),
    ],
    'writes at the same time, in either order': [
      op(1, 5, ...set('a')),
      op(1, 5, ...set('b')),
      op(6, 7, ...get('a')),
    ],
    'a read that returns in the moment in which the write begins': [
      op(1, 2, ...get('a')),
      op(2, 3, ...set('a')),
    ],
    'an unknown write that appears later': [
      op(1, 2, ...set('a')),
      op(3, 4, ...unknownSet('b')),
      op(5, 6, ...get('a')),
      op(90, 91, ...get('b')),
    ],
    'an unknown write that never appears': [
      op(1, 2, ...set('a')),
      op(3, 4, ...unknownSet('b')),
      op(5, 6, ...get('a')),
    ],
    'an unknown write alone': [op(1, 2, ...unknownSet('b'))],
    'an unknown write between two writes that are known': [
      op(1, 2, ...set('a', 1)),
      op(3, 4, ...unknownSet('b')),
      op(5, 6, ...set('c', 5)),
      op(7, 8, ...get('b', 6)),
    ],
    'an unknown remove': [
      op(1, 2, ...set('a')),
      op(3, 4, { op: 'remove' }, { kind: 'unknown' }),
      op(5, 6, ...get(null)),
    ],
    'a failed write that is not there': [op(1, 2, ...failedSet('a')), op(3, 4, ...get(null))],
    'a conditional write at the right revision': [
      op(1, 2, ...set('a', 7)),
      op(3, 4, ...setIf('b', 7, { kind: 'ok', mod: 9 })),
      op(5, 6, ...get('b', 9)),
    ],
    'of two conditional writes at the same time one is refused': [
      op(1, 2, ...set('a', 7)),
      op(3, 6, ...setIf('b', 7, { kind: 'ok', mod: 8 })),
      op(3, 6, ...setIf('c', 7, { kind: 'conflict', mod: 8 })),
    ],
    'a conditional write refused by one that is unknown': [
      op(1, 2, ...set('a', 7)),
      op(3, 4, ...setIf('b', 7, { kind: 'unknown' })),
      op(5, 6, ...setIf('c', 7, { kind: 'conflict', mod: 8 })),
      op(7, 8, ...get('b', 8)),
    ],
    'created once, again after it was removed': [
      op(1, 2, ...create('a', { kind: 'ok', mod: 1 })),
      op(3, 4, ...create('b', { kind: 'conflict', mod: 1 })),
      op(5, 6, ...remove(1)),
      op(7, 8, ...create('c', { kind: 'ok', mod: 3 })),
    ],
  };
  for (const [words, history] of Object.entries(good)) {
    it(`accepts ${words}`, () => {
      expect(checkLinearizable(history)).to.include({ ok: true });
    });
  }

  const bad: Readonly<Record<string, readonly Operation[]>> = {
    'a stale read': [op(1, 2, ...set('a')), op(3, 4, ...set('b')), op(5, 6, ...get('a'))],
    'a read of what was never written': [op(1, 2, ...set('a')), op(3, 4, ...get('x'))],
    'a read of what is written only later': [op(1, 2, ...get('a')), op(3, 4, ...set('a'))],
    'a read of what was removed': [op(1, 2, ...set('a')), op(3, 4, ...remove(1)), op(5, 6, ...get('a'))],
    'a write that was acknowledged and is lost': [op(1, 2, ...set('a')), op(3, 4, ...get(null))],
    'a write that was acknowledged and is lost beside one that is unknown': [
      op(1, 2, ...set('a', 1)),
      op(3, 4, ...unknownSet('b')),
      op(5, 6, ...get(null)),
    ],
    'two reads beside a write, the new value first': [
      op(1, 2, ...set('a')),
      op(3, 9, ...set('b')),
      op(4, 5, ...get('b')),
      op(6, 7, ...get('a')),
    ],
    'an unknown write that appears, goes and appears again': [
      op(1, 2, ...set('a')),
      op(3, 4, ...unknownSet('b')),
      op(5, 6, ...get('b')),
      op(7, 8, ...get('a')),
    ],
    'an unknown write that is seen before it was asked for': [
      op(1, 2, ...get('b')),
      op(3, 4, ...unknownSet('b')),
    ],
    'a failed write that appears': [op(1, 2, ...failedSet('a')), op(3, 4, ...get('a'))],
    'a lost update: two conditional writes at one revision': [
      op(1, 2, ...set('a', 7)),
      op(3, 6, ...setIf('b', 7, { kind: 'ok', mod: 8 })),
      op(3, 6, ...setIf('c', 7, { kind: 'ok', mod: 9 })),
    ],
    'a conditional write refused though nothing has changed': [
      op(1, 2, ...set('a', 7)),
      op(3, 4, ...setIf('b', 7, { kind: 'conflict' })),
    ],
    'a conflict that names a revision of the past': [
      op(1, 2, ...set('a', 7)),
      op(3, 4, ...set('b', 8)),
      op(5, 6, ...setIf('c', 5, { kind: 'conflict', mod: 7 })),
    ],
    'created twice': [
      op(1, 4, ...create('a', { kind: 'ok', mod: 1 })),
      op(1, 4, ...create('b', { kind: 'ok', mod: 2 })),
    ],
    'revisions that fall': [op(1, 2, ...set('a', 9)), op(3, 4, ...set('b', 8))],
    'a revision of another write': [op(1, 2, ...set('a', 9)), op(3, 4, ...get('a', 8))],
    'a removal of nothing that removed something': [op(1, 2, ...remove(1))],
  };
  for (const [words, history] of Object.entries(bad)) {
    it(`refuses ${words}`, () => {
      expect(checkLinearizable(history)).to.include({ ok: false, isUndecided: false, key: 'k' });
    });
  }

  it('looks at every key by itself, and names the one with the fewest operations that fails', () => {
    const stale = (key: string, more: number) => [
      op(1, 2, ...set('a'), key),
      ...Array.from({ length: more }, (_, at) => op(3 + at, 3 + at, ...get('a'), key)),
      op(90, 91, ...get('x'), key),
    ];
    const fine = [op(1, 2, ...set('a'), 'fine'), op(3, 4, ...get('a'), 'fine')];
    expect(checkLinearizable([...stale('long', 9), ...fine, ...stale('short', 2)])).to.include({
      key: 'short',
    });
  });

  it('says what it could explain, and what not', () => {
    const verdict = checkLinearizable([
      { ...op(1, 2, ...set('a', 1)), client: 'anna' },
      { ...op(3, 4, ...setIf('b', 1, { kind: 'ok', mod: 2 })), client: 'bert' },
      { ...op(5, 6, ...get('a', 1)), client: 'anna' },
    ]);
    expect(verdict.ok ? '' : verdict.explanation).to.equal(
      [
        'k: no order of its 3 operations explains what the clients saw',
        'the longest sequence that fits has 2 operations, and ends with',
        '  [1, 2] anna: set "a" -> ok {"mod":1}',
        '  [3, 4] bert: set "b" if {"mod":1} -> ok {"mod":2}',
        'after which the key is "b" at 2; next would have to be one of',
        '  [5, 6] anna: get -> ok {"value":"a","mod":1}',
      ].join('\n'),
    );
  });

  it('counts as a failure what it cannot decide within its steps', () => {
    const history = [
      ...Array.from({ length: 20 }, (_, at) => op(1, 99, ...set(`v${at}`))),
      ...Array.from({ length: 20 }, (_, at) => op(100 + at, 100 + at, ...get(`w${at}`))),
    ];
    const verdict = checkLinearizable(history, { steps: 1_000 });
    expect(verdict).to.include({ ok: false, isUndecided: true });
    expect(verdict.ok ? '' : verdict.explanation).to.include('no answer after 1000 steps');
  });

  it('is quick where many that only look are under way at once', () => {
    const looks = Array.from({ length: 40 }, (_, at) =>
      op(1, 99, ...(at % 2 === 0 ? get(null, 0) : remove(0))),
    );
    const history = [
      ...looks,
      ...[10, 20, 30].flatMap(at => [op(at, at + 4, ...set(`v${at}`, at)), op(at + 5, at + 9, ...remove(1))]),
    ];
    expect(checkLinearizable([...history, op(50, 60, ...get(null, 0))])).to.include({ ok: true });
    const verdict = checkLinearizable([...history, op(50, 60, ...get('v30', 30))], { steps: 1_000 });
    expect(verdict).to.include({ ok: false, isUndecided: false });
  });

  it('agrees with a search of every order, over thousands of small histories', () => {
    const random = new Random(7);
    const found = { good: 0, bad: 0 };
    for (let round = 0; round < 3_000; round += 1) {
      const history = smallHistory(random);
      const expected = isLinearizableSlowly(history);
      found[expected ? 'good' : 'bad'] += 1;
      expect(checkLinearizable(history).ok, JSON.stringify(history, null, 1)).to.equal(expected);
    }
    expect(Math.min(found.good, found.bad), 'histories of the rarer kind').to.be.above(500);
  });

  it('is quick with eight clients at once, good history or bad', () => {
    const history = longHistory(new Random(11), 8, 4_000);
    const verdict = checkLinearizable(history);
    expect(verdict).to.include({ ok: true });
    expect(verdict.steps).to.be.below(100_000);
    for (let seed = 1; seed <= 20; seed += 1) {
      expect(checkLinearizable(longHistory(new Random(seed), 8, 400)), `seed ${seed}`).to.include({
        ok: true,
      });
    }
    const shorter = longHistory(new Random(11), 8, 1_000);
    const at = shorter.findLastIndex(({ action }) => action.op === 'get');
    const spoiled = shorter.with(at, {
      ...(shorter[at] as Operation),
      result: { kind: 'ok', value: 'never' },
    });
    expect(checkLinearizable(spoiled)).to.include({ ok: false, isUndecided: false });
  });
});

/** Up to six operations with results that may or may not fit. */
function smallHistory(random: Random): readonly Operation[] {
  return Array.from({ length: 2 + random.below(5) }, () => {
    const invoked = random.below(8);
    const value = `${random.below(2)}`;
    const mod = random.below(3) === 0 ? {} : { mod: 1 + random.below(3) };
    const condition = [undefined, undefined, { mod: random.below(4) }, { absent: true } as const][
      random.below(4)
    ];
    const guard = condition === undefined ? {} : { if: condition };
    const action: Action = [
      { op: 'get' } as const,
      { op: 'set', value, ...guard } as const,
      { op: 'remove', ...guard } as const,
    ][[0, 0, 1, 1, 1, 2][random.below(6)] ?? 0] ?? { op: 'get' };
    return op(invoked, invoked + random.below(4), action, smallResult(random, action, mod, value));
  });
}

function smallResult(random: Random, action: Action, mod: { readonly mod?: number }, value: string): Result {
  const kind = random.below(8);
  if (kind === 0) return { kind: 'failed' };
  if (kind <= 2) return { kind: 'unknown' };
  if (action.op === 'get')
    return { kind: 'ok', ...(random.below(3) === 0 ? { value: null } : { value, ...mod }) };
  if (action.if !== undefined && kind <= 4) return { kind: 'conflict', ...mod };
  if (action.op === 'set') return { kind: 'ok', ...mod };
  return { kind: 'ok', ...(random.below(2) === 0 ? { removed: random.below(2) } : {}) };
}

/** Tries every order of every choice of unknown operations, without memory or cleverness. */
function isLinearizableSlowly(history: readonly Operation[], register: Register = EMPTY): boolean {
  const isRequired = ({ result }: Operation) => result.kind !== 'unknown' && result.kind !== 'failed';
  if (!history.some(isRequired)) return true;
  return history.some((operation, at) => {
    if (operation.result.kind === 'failed') return false;
    if (history.some(other => isRequired(other) && other.returned < operation.invoked)) return false;
    // The checker's shortcut is not for this search.
    const after = step({ ...register, isUnseen: false }, operation);
    return after !== undefined && isLinearizableSlowly(history.toSpliced(at, 1), after);
  });
}

/** What clients of a real register saw: each operation happens at one moment between its two ends. */
function longHistory(random: Random, clientCount: number, count: number): Operation[] {
  const history: Operation[] = [];
  const now = Array.from({ length: clientCount }, () => 0);
  let register: { value: string | null; mod: number } = { value: null, mod: 0 };
  let rev = 0;
  let moment = 0;
  for (let done = 0; done < count; done += 1) {
    moment += 10;
    const client = random.below(clientCount);
    const invoked = Math.max((now[client] ?? 0) + 1, moment - random.below(40 * clientCount));
    const returned = moment + random.below(40 * clientCount);
    now[client] = returned;
    moment = Math.max(moment, invoked);
    const isUnknown = random.below(50) === 0;
    const value = `v${done}`;
    const kind = random.below(10);
    const base = { key: 'k', client: `c${client}`, invoked, returned: Math.max(returned, moment) };
    now[client] = base.returned;
    if (kind < 5) {
      history.push({ ...base, action: { op: 'get' }, result: { kind: 'ok', ...register } });
      continue;
    }
    const guess = random.below(2) === 0 ? register.mod : Math.max(0, register.mod - 1);
    const action: Action = kind < 7 ? { op: 'set', value } : { op: 'set', value, if: { mod: guess } };
    if (action.if !== undefined && guess !== register.mod) {
      history.push({ ...base, action, result: { kind: 'conflict', mod: register.mod } });
      continue;
    }
    if (!isUnknown || random.below(2) === 0) {
      rev += 1;
      register = { value, mod: rev };
    }
    const result: Result = isUnknown ? { kind: 'unknown' } : { kind: 'ok', mod: rev };
    history.push({ ...base, action, result });
  }
  return history;
}
