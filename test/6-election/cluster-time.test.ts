import { expect } from 'chai';
import { Store } from '../../src/kv/store.ts';
import { ClusterTime } from '../../src/node/cluster-time.ts';
import type { Core } from '../../src/node/host.ts';

/** A node whose clock is moved by hand; it has applied whatever there is. */
class Watched {
  clock = 0;
  readonly state = { role: 'follower', term: 1, handed: 1, leadsFrom: 1 };
  readonly time: ClusterTime;

  constructor() {
    const core = { state: this.state } as unknown as Core;
    const clock = { now: () => this.clock } as never;
    this.time = new ClusterTime({ store: new Store(), core, clock });
  }

  lead(): void {
    this.state.role = 'leader';
    this.state.term += 1;
  }
}

describe('cluster time', () => {
  it('is not ahead at a new leader whose clock has run faster than the one before, however long that led', () => {
    const follower = new Watched();
    for (let second = 1; second <= 1_000; second += 1) {
      follower.clock = second * 1_010;
      follower.time.note(1, second * 1_000);
    }
    follower.lead();
    expect(follower.time.now()).to.equal(1_000_000);
    follower.clock += 500;
    expect(follower.time.now()).to.equal(1_000_500);
  });

  it('goes on at a new leader from when it last heard it, so that what has passed is not forgotten', () => {
    const follower = new Watched();
    follower.clock = 5_000;
    follower.time.note(1, 90_000);
    follower.clock = 8_000;
    follower.lead();
    expect(follower.time.now()).to.equal(93_000);
  });

  it('does not fall behind at a leader because its own entries take their time', () => {
    const leader = new Watched();
    leader.time.note(1, 1_000);
    leader.lead();
    expect(leader.time.now()).to.equal(1_000);
    leader.clock = 400;
    leader.time.note(2, 1_000);
    expect(leader.time.now()).to.equal(1_400);
  });
});
