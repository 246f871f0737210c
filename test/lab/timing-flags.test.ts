import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readTiming } from '../../bin/timing-flags.ts';
import { Cluster } from '../../lab/cluster.ts';
import { askOf } from '../shared/cluster.ts';

const read = (flags: Record<string, number>) => readTiming({ words: [], flags, rest: [] });

describe('the timing flags of serve', function () {
  this.timeout(30_000);

  it('are counted in ticks, and leave what they do not name as it is', () => {
    expect(read({})).to.equal(undefined);
    expect(read({ tick: 10 })).to.deep.equal({ tick: 10, heartbeatTicks: 10, electionTicks: 50 });
    const slow = { heartbeat: 500, 'election-timeout': 3_000 };
    expect(read(slow)).to.deep.equal({ tick: 50, heartbeatTicks: 10, electionTicks: 60 });
    expect(read({ tick: 100, heartbeat: 1 })).to.include({ heartbeatTicks: 1 });
  });

  it('are refused where every lost heartbeat would bring an election', () => {
    expect(() => read({ heartbeat: 400 })).to.throw('--election-timeout');
  });

  it('reach the nodes: with a long election timeout nobody stands for long', async () => {
    const data = mkdtempSync(join(tmpdir(), 'raftline-test-'));
    const flags = ['--election-timeout', '600000'];
    const cluster = await Cluster.start({ stage: 6, nodes: 3, data, flags });
    const ask = askOf(() => cluster);
    const { error } = await ask('n1', { op: 'set', key: '/a', value: '1' });
    expect(error).to.include({ code: 'NO_LEADER', definite: true });
    expect(await ask('n1', { op: 'status' })).to.include({ role: 'follower', term: 1 });
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  });
});
