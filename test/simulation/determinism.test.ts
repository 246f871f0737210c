import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { simulate } from '../simulator/simulate.ts';

const MAIN = fileURLToPath(new URL('../simulator/main.js', import.meta.url));

function traceOf(seed: number): string {
  const lines: string[] = [];
  simulate(seed, { duration: 20_000, trace: line => lines.push(line) });
  return lines.join('\n');
}

describe('a simulated history', () => {
  it('is the same, byte for byte, whenever its seed is run', () => {
    const first = traceOf(7);
    expect(first.length).to.be.greaterThan(100_000);
    expect(traceOf(7) === first).to.equal(true);
    expect(traceOf(8) === first).to.equal(false);
  });

  it('is the same in another process', function () {
    this.timeout(60_000);
    const digest = () => {
      const options = { maxBuffer: 2 ** 28 };
      return createHash('sha256')
        .update(execFileSync(process.execPath, [MAIN, '--seed', '10', '--trace'], options))
        .digest('hex');
    };
    expect(digest()).to.equal(digest());
  });

  it('uses no clock, no timer and no dice of the process', () => {
    const names = ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'] as const;
    const forbidden = (name: string) => () => {
      throw new Error(`${name} was called`);
    };
    const saved = names.map(name => globalThis[name]);
    const { random } = Math;
    const { now } = Date;
    const performanceNow = performance.now;
    try {
      for (const name of names) Object.assign(globalThis, { [name]: forbidden(name) });
      Math.random = forbidden('Math.random');
      Date.now = forbidden('Date.now');
      performance.now = forbidden('performance.now');
      expect(simulate(3, { duration: 10_000 }).violation?.message).to.equal(undefined);
    } finally {
      for (const [at, name] of names.entries()) Object.assign(globalThis, { [name]: saved[at] });
      Math.random = random;
      Date.now = now;
      performance.now = performanceNow;
    }
  });
});
