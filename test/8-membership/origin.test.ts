import { expect } from 'chai';
import type { Core } from '../../src/node/host.ts';
import { Origin } from '../../src/node/origin.ts';
import { type Configuration, configurationOf } from '../../src/raft/configuration.ts';
import { State } from '../../src/raft/state.ts';

describe('the origin of a cluster', () => {
  const nodes = { n1: 'n1:7001', n2: 'n2:7001' };
  const configuration = configurationOf({ nodes, voters: ['n1'] });
  const marked = configurationOf({ nodes, voters: ['n1'], origin: 'first' });

  /** What a leader makes of the configurations in its log, one after the other. */
  function given(...configurations: readonly Configuration[]): Configuration | undefined {
    const entries = configurations.map((command, at) => ({ index: at + 1, term: 1, command, size: 64 }));
    const ballot = { term: 1, vote: 'n1' };
    const base = { index: 0, term: 0 };
    const state = new State({ id: 'n1', configuration, ballot, base, entries, commit: entries.length });
    let made: Configuration | undefined;
    const changeMembers = (to: Configuration) => {
      made = to;
    };
    const core = { state, obstacle: undefined, changeMembers } as unknown as Core;
    new Origin({ core, random: () => 0.5, wake: () => {} }).check();
    return made;
  }

  it('is drawn where there is none', () => {
    expect(given(configuration)).to.deep.equal({ ...configuration, origin: '8000000080000000' });
  });

  it('is left as it is', () => {
    expect(given(configuration, marked)).to.equal(undefined);
  });

  it('comes back where the leader of an earlier version has left it out: a node that was away knows it', () => {
    expect(given(marked, configuration)).to.deep.equal(marked);
  });
});
