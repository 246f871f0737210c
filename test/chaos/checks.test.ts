import { expect } from 'chai';
import {
  checkAgreement,
  checkHistory,
  checkInsertions,
  checkOutcomes,
  checkRevisions,
  checkTold,
  type Watched,
} from './checks.ts';
import { History, type Insertion, type Sight } from './history.ts';
import { Verdicts } from './verdicts.ts';

/** The names of the checks that fail. */
function failing(check: (history: History, verdicts: Verdicts) => unknown): string[] {
  const verdicts = new Verdicts();
  check(new History(), verdicts);
  return verdicts.all.filter(({ failures }) => failures.length > 0).map(({ name }) => name);
}

describe('what chaos checks', () => {
  const sight = (kind: Sight['kind'], invoked: number, returned: number, rev: number): Sight => {
    return { kind, invoked, returned, rev, what: `${kind} ${rev}` };
  };
  const ofSights = (...sights: Sight[]) =>
    failing((history, verdicts) => {
      history.sights.push(...sights);
      checkRevisions(history, verdicts);
    });

  it('finds a node that answers that it is at fault', () => {
    const ofCode = (code: string) =>
      failing((history, verdicts) => {
        history.count('set', { ok: false, error: { code, message: '', definite: false, retry: false } });
        checkOutcomes(history, verdicts);
      });
    expect(ofCode('TIMEOUT')).to.deep.equal([]);
    expect(ofCode('INTERNAL')).to.have.length(1);
  });

  it('lets changes that overlap have any order, and reads show what is there', () => {
    const sights = [sight('change', 1, 5, 2), sight('change', 2, 4, 1), sight('read', 6, 7, 2)];
    expect(ofSights(...sights)).to.deep.equal([]);
  });

  it('finds a change with a revision below one that was shown before', () => {
    expect(ofSights(sight('change', 1, 2, 9), sight('change', 3, 4, 8))).to.have.length(1);
  });

  it('finds a read that is older than what was shown before', () => {
    expect(ofSights(sight('change', 1, 2, 9), sight('read', 3, 4, 8))).to.have.length(1);
  });

  it('finds two changes of one revision', () => {
    expect(ofSights(sight('change', 1, 4, 9), sight('change', 2, 3, 9))).to.have.length(1);
  });

  const inserted: Insertion = { key: '/k', value: 'v', outcome: 'done', mod: 3, invoked: 1, returned: 2 };

  async function ofInsertions(insertion: Partial<Insertion>, entries: object[]): Promise<string[]> {
    const history = new History();
    const verdicts = new Verdicts();
    history.insertions.push({ ...inserted, ...insertion });
    await checkInsertions(history, verdicts, 'n1', async () => ({ ok: true, entries, next: null }));
    return verdicts.all.filter(({ failures }) => failures.length > 0).map(({ name }) => name);
  }
  const found = { key: '/k', value: 'v', mod: 3, version: 1 };

  it('takes what is there as it was acknowledged, and what is unknown either way', async () => {
    expect(await ofInsertions({}, [found])).to.deep.equal([]);
    expect(await ofInsertions({ outcome: 'unknown' }, [found])).to.deep.equal([]);
    expect(await ofInsertions({ outcome: 'unknown' }, [])).to.deep.equal([]);
    expect(await ofInsertions({ outcome: 'failed' }, [])).to.deep.equal([]);
  });

  it('finds what was lost, done twice, or done in spite of a refusal, and what nobody wrote', async () => {
    expect(await ofInsertions({}, [])).to.deep.equal(['every acknowledged change is present']);
    expect(await ofInsertions({}, [{ ...found, version: 2 }])).to.have.length(1);
    expect(await ofInsertions({}, [{ ...found, mod: 4 }])).to.have.length(1);
    expect(await ofInsertions({ outcome: 'failed' }, [found])).to.have.length(1);
    expect(await ofInsertions({}, [found, { ...found, key: '/other' }])).to.have.length(1);
  });

  function ofWatch(told: [rev: number, key: string, value: string][]): string[] {
    return failing((history, verdicts) => {
      history.insertions.push(inserted, { ...inserted, key: '/refused', outcome: 'failed', mod: 0 });
      checkTold(history, verdicts, watched('w', told));
    });
  }
  const watched = (name: string, told: [rev: number, key: string, value: string][]): Watched => ({
    name,
    told: new Map(told.map(([rev, key, value]) => [rev, new Map([[key, { type: 'set', value }]])])),
    range: [1, 9],
  });

  it('finds what a watch was not told, or told of in spite of a refusal', () => {
    expect(ofWatch([[3, '/k', 'v']])).to.deep.equal([]);
    expect(ofWatch([])).to.deep.equal(['a watch tells of every acknowledged change']);
    expect(ofWatch([[4, '/k', 'v']])).to.have.length(1);
    expect(ofWatch([[3, '/k', 'w']])).to.have.length(1);
    expect(
      ofWatch([
        [3, '/k', 'v'],
        [4, '/refused', 'v'],
      ]),
    ).to.have.length(1);
  });

  it('finds two watches that differ', () => {
    const names = failing((_history, verdicts) => {
      checkAgreement(watched('a', [[2, '/k', 'v']]), watched('b', [[2, '/k', 'w']]), verdicts);
    });
    expect(names).to.have.length(1);
  });

  it('finds a history that nothing explains', () => {
    const names = failing((history, verdicts) => {
      const common = { key: '/k', client: 'c', action: { op: 'get' } } as const;
      history.operations.push(
        {
          ...common,
          action: { op: 'set', value: 'v' },
          invoked: 1,
          returned: 2,
          result: { kind: 'ok', mod: 1 },
        },
        { ...common, invoked: 3, returned: 4, result: { kind: 'ok', value: null, mod: 0 } },
      );
      checkHistory(history, verdicts);
    });
    expect(names).to.deep.equal(['the history of each key is linearizable']);
  });
});
