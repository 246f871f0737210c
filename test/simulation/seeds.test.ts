import { expect } from 'chai';
import { runSeeds } from '../simulator/pool.ts';
import { describeFinding, Summary } from '../simulator/summary.ts';

/** A simulated minute of storms each; `npm run sim` runs more, and others. */
const SEEDS = 100;

describe('simulated clusters', () => {
  it(`keep what must always hold through ${SEEDS} histories of storms, and are well again after each`, async function () {
    this.timeout(300_000);
    this.slow(120_000);
    const summary = new Summary();
    const seeds = Array.from({ length: SEEDS }, (_, at) => at + 1);
    await runSeeds(seeds, result => {
      summary.add(result);
      return 'go on';
    });
    expect(summary.findings.map(describeFinding)).to.deep.equal([]);
    expect(summary.seeds).to.equal(SEEDS);
  });
});
