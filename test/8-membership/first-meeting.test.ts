import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { raftCodec } from '../../src/node/raft-codec.ts';
import { Standing } from '../../src/node/standing.ts';
import { systemClock } from '../../src/node/system-clock.ts';
import { Raft } from '../../stages/8-membership/raft.ts';
import { FaultyDisk } from '../4-log-replication/journal-faults.ts';
import { Scratch } from '../4-log-replication/journal-kit.ts';
import { eventually } from '../shared/cluster.ts';

describe('stage 8: a node that meets another for the first time', () => {
  const scratch = new Scratch();
  let standing: Standing;
  let disk: FaultyDisk;
  let path: string;

  beforeEach(async () => {
    disk = new FaultyDisk();
    path = scratch.directory();
    const bench = await scratch.open(path, { files: disk });
    standing = new Standing(
      {
        id: 'n1',
        stage: { number: 8, makeCore: (beginning, timing, random) => new Raft(beginning, timing, random) },
        journal: bench.opened,
        dial: () => ({ isUp: false, send: () => false, reset: () => {}, close: () => {} }),
        codec: raftCodec,
        ask: () => {},
        clock: systemClock,
        random: () => 0.5,
      },
      '127.0.0.1:7001',
    );
  });
  afterEach(async () => {
    standing.membership?.replica.stop();
    await scratch.clean();
  });

  /** n1 begins a cluster with n2. */
  const begin = () =>
    standing.begin([
      { id: 'n1', address: '127.0.0.1:7001' },
      { id: 'n2', address: '127.0.0.1:7002' },
    ]);
  const greet = (cluster: string, more: object = {}) => {
    const hello = { op: 'peer', protocol: 1, cluster, from: 'n2', to: 'n1', instance: 'two', member: 0 };
    return standing.accept({ ...hello, ...more }, { destroy: () => {} }, true).outcome;
  };
  const isWritten = () => readFileSync(join(path, 'node.json'), 'utf8').includes('"two"');
  const cause = {
    'the disk is full': () => {
      disk.room = 10;
    },
    'no descriptor is left': () => {
      disk.mostOpen = disk.descriptors;
    },
  };
  const relieve = () => {
    disk.room = Number.POSITIVE_INFINITY;
    disk.mostOpen = Number.POSITIVE_INFINITY;
  };

  for (const [words, code] of [
    ['the disk is full', 'NO_SPACE'],
    ['no descriptor is left', 'BUSY'],
  ] as const) {
    it(`asks it to call again when ${words}, and has met nobody until it is written`, () => {
      begin();
      const { cluster = '' } = standing.membership ?? {};
      cause[words]();
      for (let tries = 0; tries < 2; tries += 1) {
        const refused = greet(cluster);
        expect(refused.ok ? undefined : refused.error).to.include({ code, retry: true, definite: true });
      }
      expect(isWritten()).to.equal(false);
      relieve();
      expect(greet(cluster)).to.include({ ok: true });
      expect(isWritten()).to.equal(true);
    });

    it(`waits on when a cluster has added it and ${words}, and is a member at the next call`, () => {
      const { instance } = standing.state;
      cause[words]();
      const refused = greet('c', { expects: instance, address: '127.0.0.1:7002' });
      expect(refused.ok ? undefined : refused.error).to.include({ code, retry: true });
      expect(standing.membership).to.equal(undefined);
      relieve();
      expect(greet('c', { expects: instance, address: '127.0.0.1:7002' })).to.include({ ok: true });
    });
  }

  it('says in its status that its disk is full, for as long as it is', async () => {
    standing.begin([{ id: 'n1', address: '127.0.0.1:7001' }]);
    expect(standing.state.notice).to.equal(undefined);
    disk.room = 0; // it has yet to vote for itself
    await eventually('it says so', () => /^n1 takes no changes, since its disk is full/.test(notice()));
    relieve();
    await eventually('it says so no more', () => notice() === '');
  });
  const notice = () => standing.state.notice ?? '';

  it('does not hide a disk that is broken', () => {
    begin();
    disk.failures.set('open node.json', 'EIO');
    expect(() => greet(standing.membership?.cluster ?? '')).to.throw('EIO');
  });
});
