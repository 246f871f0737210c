import { expect } from 'chai';
import { apply, type Command } from '../../src/kv/commands.ts';
import { Store } from '../../src/kv/store.ts';
import type { Client, Follower } from '../../src/node/client.ts';
import type { News } from '../../src/node/news.ts';
import { Watches } from '../../src/node/watches.ts';
import type { Clock } from '../../src/ports/clock.ts';
import { type Failure, failure } from '../../src/wire/errors.ts';
import type { WatchRequest } from '../../src/wire/ops.ts';
import type { Outcome } from '../../src/wire/reply.ts';
import { withSeed } from '../shared/random.ts';

// biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of each field
type Line = Readonly<Record<string, any>>;

/** A clock that is moved by hand, and a list of what is to run soon. */
class Hands {
  time = 0;
  /** Milliseconds that each look at the clock takes. */
  cost = 0;
  readonly due: (() => void)[] = [];
  readonly clock: Clock = {
    now: () => {
      this.time += this.cost;
      return this.time;
    },
    soon: run => void this.due.push(run),
    after: () => ({ stop: () => {} }),
    every: () => ({ stop: () => {} }),
  };

  /** Runs what is due, and what comes of it; returns in how many turns. */
  run(): number {
    let turns = 0;
    for (let next = this.due.shift(); next !== undefined; next = this.due.shift()) {
      turns += 1;
      next();
    }
    return turns;
  }
}

/** A client that takes so many lines before it has to be read again. */
class Reader implements Client {
  readonly lines: Line[] = [];
  readonly isGone = false;
  room: number;
  #followers = new Set<Follower>();

  constructor(room = Number.POSITIVE_INFINITY) {
    this.room = room;
  }

  push(news: News, watch?: number): void {
    this.lines.push(JSON.parse(`{"watch":${watch},${news.text}}`) as Line);
    this.room -= 1;
  }

  get isFull(): boolean {
    return this.room <= 0;
  }

  follow(follower: Follower): void {
    this.#followers.add(follower);
  }

  unfollow(follower: Follower): void {
    this.#followers.delete(follower);
  }

  read(room: number): void {
    this.room = room;
    for (const follower of this.#followers) follower.onRoom();
  }

  leave(): void {
    for (const follower of this.#followers) follower.onGone();
  }

  shutDown(): void {
    for (const follower of this.#followers) follower.onShutDown();
  }

  get revs(): number[] {
    return this.lines.filter(({ events }) => events !== undefined).map(({ rev }) => rev);
  }

  get closed(): Line | undefined {
    return this.lines.find(({ closed }) => closed !== undefined)?.closed;
  }
}

class Scene {
  readonly hands = new Hands();
  readonly store: Store;
  readonly watches: Watches;
  isConfirmed = true;
  farewell: Failure | undefined;
  mayLag = false;

  constructor(history = { revisions: 1_000, characters: 100_000_000 }) {
    this.store = new Store(undefined, history);
    this.watches = new Watches({
      store: this.store,
      clock: this.hands.clock,
      confirm: (_, run) => void (this.isConfirmed && run()),
      mayLag: () => this.mayLag,
      cluster: () => [{ type: 'leader', id: 'n1', address: 'a', term: 1 }],
      farewell: () => this.farewell,
    });
  }

  do(...commands: Command[]): void {
    for (const command of commands) {
      apply(this.store, command);
      this.watches.keepUp();
    }
    this.watches.turned();
  }

  set(key: string, value = ''): void {
    this.do({ op: 'set', key, value });
  }

  ask(client: Client, request: WatchRequest): Outcome {
    let outcome: Outcome | undefined;
    const responder = {
      client,
      deadline: 0,
      answer: (answer: Outcome, onSent?: () => void) => {
        outcome = answer;
        onSent?.();
      },
    };
    this.watches.take(request, responder);
    if (outcome === undefined) throw new Error('no answer');
    return outcome;
  }
}

const all = { op: 'watch', prefix: '' } as const;

describe('those who watch', () => {
  it('are told in turns of their own, behind what was applied', () => {
    const scene = new Scene();
    const reader = new Reader();
    scene.ask(reader, all);
    scene.set('/a');
    expect(reader.lines).to.deep.equal([]);
    scene.hands.run();
    expect(reader.revs).to.deep.equal([1]);
  });

  it('are told each revision that concerns them, once and in order, whoever comes and goes, reads or does not', () =>
    withSeed(random => {
      for (let game = 0; game < 30; game += 1) {
        const scene = new Scene({ revisions: 100_000, characters: 100_000_000 });
        scene.hands.cost = random.pick([0, 1, 4]);
        const watching: { reader: Reader; key?: string; prefix?: string; from: number }[] = [];
        for (let step = 0; step < 400; step += 1) {
          const key = random.pick(['/a', '/a/b', '/a/b/c', '/b', '/\u{1f600}']);
          if (random.chance(0.1) && watching.length < 12) {
            const what = random.chance(0.5) ? { key } : { prefix: random.pick(['', '/', '/a', '/a/', key]) };
            const from = 1 + random.below(scene.store.rev + 1);
            const reader = new Reader(random.chance(0.5) ? random.below(5) : Number.POSITIVE_INFINITY);
            expect(scene.ask(reader, { op: 'watch', ...what, from, prev: random.chance(0.5) }).ok).to.equal(
              true,
            );
            watching.push({ reader, from, ...what });
          } else if (random.chance(0.1)) scene.do({ op: 'remove', prefix: key });
          else scene.set(key, String(step));
          if (random.chance(0.3)) scene.hands.due.shift()?.();
          if (random.chance(0.2) && watching.length > 0) random.pick(watching).reader.read(random.below(20));
        }
        for (const { reader } of watching) reader.read(Number.POSITIVE_INFINITY);
        scene.hands.run();
        for (const { reader, key, prefix = '', from } of watching) {
          const expected: object[] = [];
          for (let rev = from; rev <= scene.store.rev; rev += 1) {
            const keys = (scene.store.history.at(rev) ?? []).map(event => event.key);
            const mine = keys.filter(name => (key === undefined ? name.startsWith(prefix) : name === key));
            if (mine.length > 0) expected.push({ rev, keys: mine });
          }
          const told = reader.lines.map(({ rev, events }) => ({
            rev,
            keys: events.map((event: Line) => event.key),
          }));
          expect(told).to.deep.equal(expected);
        }
      }
    }));

  it('are told each event in the same words, written down once, whatever else they watch', () => {
    const scene = new Scene();
    let written = 0;
    const value = {
      toJSON: () => {
        written += 1;
        return 'v';
      },
    } as unknown as string;
    const readers = Array.from({ length: 1_000 }, () => new Reader());
    const set = { op: 'set', key: '/a/b', value } as const;
    scene.do(set);
    for (const [at, reader] of readers.entries()) {
      scene.ask(reader, { op: 'watch', prefix: '/a/b'.slice(0, at % 5), from: 1 });
    }
    scene.hands.run();
    scene.do(set);
    scene.hands.run();
    expect(written).to.equal(2);
    for (const { revs } of readers) expect(revs).to.deep.equal([1, 2]);
  });

  it('keep little of what they were told, however many they are and whatever they watch', () => {
    const scene = new Scene({ revisions: 1_000, characters: 2_000_000 });
    const reader = new Reader();
    reader.push = () => {};
    const key = 'x'.repeat(1_000);
    for (let length = 1; length <= 1_000; length += 1)
      scene.ask(reader, { op: 'watch', prefix: key.slice(0, length) });
    const before = process.memoryUsage().heapUsed;
    for (let rev = 0; rev < 5; rev += 1) {
      scene.set(key, 'y'.repeat(400_000));
      scene.hands.run();
    }
    expect(process.memoryUsage().heapUsed - before).to.be.lessThan(256 * 1_048_576);
  });

  it('are told for a few milliseconds at a time, so that the node has its turn between', () => {
    const scene = new Scene();
    const readers = Array.from({ length: 200 }, () => new Reader());
    for (const reader of readers) scene.ask(reader, all);
    scene.hands.run();
    scene.hands.cost = 1;
    scene.set('/a');
    expect(scene.hands.run()).to.be.greaterThan(10);
    for (const { revs } of readers) expect(revs).to.deep.equal([1]);
  });

  it('do not wait for one that does not read, which goes on where it stopped', () => {
    const scene = new Scene();
    const [quick, slow] = [new Reader(), new Reader(2)];
    for (const reader of [quick, slow]) scene.ask(reader, all);
    for (let rev = 1; rev <= 100; rev += 1) scene.set('/a', 'x');
    scene.hands.run();
    expect([quick.revs.length, slow.revs.length]).to.deep.equal([100, 2]);
    slow.read(3);
    scene.hands.run();
    expect(slow.revs).to.deep.equal([1, 2, 3, 4, 5]);
    slow.read(1_000);
    scene.hands.run();
    scene.set('/a', 'y');
    scene.hands.run();
    expect(slow.revs).to.deep.equal(quick.revs);
  });

  it('are closed when they owe too much, and told from where to go on', () => {
    const scene = new Scene();
    const [quick, slow] = [new Reader(), new Reader(1)];
    for (const reader of [quick, slow]) scene.ask(reader, all);
    for (let rev = 1; rev <= 20; rev += 1) {
      scene.set('/a', 'x'.repeat(500_000));
      scene.hands.run();
    }
    expect(slow.revs).to.deep.equal([1]);
    expect(slow.closed).to.include({ code: 'SLOW_CONSUMER', resume: 2 });
    expect(slow.closed).to.have.all.keys('code', 'message', 'resume');
    expect(quick.revs).to.have.length(20);
    expect(scene.watches.count).to.equal(1);
    slow.read(100);
    expect(scene.ask(slow, { ...all, from: slow.closed?.resume })).to.include({ ok: true, watch: 2 });
    scene.hands.run();
    expect(slow.revs).to.deep.equal(quick.revs);
  });

  it('are not slow because they begin far in the past', () => {
    const scene = new Scene();
    for (let rev = 1; rev <= 50; rev += 1) scene.set('/a', 'x'.repeat(500_000));
    const reader = new Reader(1);
    scene.ask(reader, { ...all, from: 1 });
    for (let rev = 51; rev <= 100; rev += 1) {
      scene.set('/a', 'x'.repeat(500_000));
      scene.hands.run();
    }
    for (let reading = 0; reading < 99; reading += 1) {
      reader.read(1);
      scene.hands.run();
    }
    expect(reader.revs).to.have.length(100);
    expect(reader.closed).to.equal(undefined);
  });

  it('are closed when the history has left them behind', () => {
    const scene = new Scene({ revisions: 10, characters: 1_000_000 });
    const reader = new Reader(1);
    scene.ask(reader, all);
    for (let rev = 1; rev <= 50; rev += 1) {
      scene.set('/a');
      scene.hands.run();
    }
    reader.read(10);
    scene.hands.run();
    expect(reader.revs).to.deep.equal([1]);
    expect(reader.closed).to.include({ code: 'SLOW_CONSUMER', resume: 2 });
    const refused = scene.ask(reader, { ...all, from: 2 });
    expect(refused).to.have.property('error').that.includes({ code: 'COMPACTED', compacted: 40 });
    expect(scene.ask(reader, { ...all, from: 41 }).ok).to.equal(true);
  });

  it('are told all of what is applied in one turn, though it is more than the history keeps', () => {
    const scene = new Scene({ revisions: 100, characters: 1_000_000 });
    const reader = new Reader();
    scene.ask(reader, all);
    scene.hands.run();
    scene.do(...Array.from({ length: 1_000 }, (): Command => ({ op: 'set', key: '/a', value: '' })));
    scene.hands.run();
    expect(reader.revs).to.deep.equal(Array.from({ length: 1_000 }, (_, at) => at + 1));
  });

  it('are closed where a state from elsewhere begins behind what they have been told, and go on where it does not', () => {
    for (const [revisions, expected] of [
      [5, 'COMPACTED'],
      [50, undefined],
    ] as const) {
      const scene = new Scene();
      const reader = new Reader();
      scene.ask(reader, all);
      scene.set('/a');
      scene.hands.run();
      const other = new Store(undefined, { revisions, characters: 1_000_000 });
      for (let rev = 1; rev <= 20; rev += 1) apply(other, { op: 'set', key: '/a', value: '' });
      scene.store.become(other);
      scene.watches.turned();
      scene.hands.run();
      expect(reader.closed?.code).to.equal(expected);
      if (expected === undefined) expect(reader.revs).to.have.length(20);
      else expect(reader.closed).to.include({ compacted: 15 });
    }
  });

  it('are told every ten seconds how far they have come when there is nothing else to tell', () => {
    const scene = new Scene();
    const [idle, busy, behind] = [new Reader(), new Reader(), new Reader(0)];
    scene.set('/before');
    scene.ask(idle, { op: 'watch', key: '/none' });
    scene.ask(busy, all);
    scene.ask(behind, { ...all, from: 1 });
    const cluster = new Reader();
    scene.ask(cluster, { op: 'watch', cluster: true });
    for (let second = 0; second < 25; second += 1) {
      scene.set('/a');
      scene.hands.run();
      scene.hands.time += 1_000;
      scene.watches.sweep();
    }
    expect(idle.lines).to.deep.equal([
      { watch: 1, rev: 11, progress: true },
      { watch: 1, rev: 21, progress: true },
    ]);
    expect(busy.lines).to.have.length(25);
    expect(behind.lines).to.have.length(0);
    expect(cluster.lines).to.deep.equal([
      { watch: 1, events: [{ type: 'leader', id: 'n1', address: 'a', term: 1 }] },
      ...idle.lines,
    ]);
  });

  it('begin with what this node has yet to hear of once the leader has confirmed it, and not before', () => {
    const scene = new Scene();
    const reader = new Reader();
    scene.isConfirmed = false;
    expect(() => scene.ask(reader, { ...all, from: 5 })).to.throw('no answer');
    expect(() => scene.ask(reader, all)).to.throw('no answer');
    expect(scene.ask(reader, { ...all, from: 1 }).ok).to.equal(true);
    scene.isConfirmed = true;
    const refused = scene.ask(reader, { ...all, from: 5 });
    const future = { code: 'FUTURE_REV', definite: true, rev: 0 };
    expect(refused)
      .to.have.property('error')
      .that.includes({ ...future, retry: false });
    scene.mayLag = true;
    const early = scene.ask(reader, { ...all, from: 5 });
    expect(early)
      .to.have.property('error')
      .that.includes({ ...future, retry: true });
  });

  it('are forgotten when their client goes, and leave nothing behind', () => {
    const scene = new Scene();
    const readers = Array.from({ length: 10 }, () => new Reader(1));
    for (const reader of readers) {
      scene.ask(reader, all);
      scene.ask(reader, { op: 'watch', key: '/a' });
      scene.ask(reader, { op: 'watch', cluster: true });
    }
    expect(scene.watches.count).to.equal(30);
    for (let rev = 0; rev < 5; rev += 1) scene.set('/a');
    scene.hands.run();
    for (const reader of readers) reader.leave();
    scene.set('/a');
    scene.hands.run();
    expect(scene.watches.count).to.equal(0);
    expect(scene.ask(new Reader(), all)).to.include({ watch: 1 });
  });

  it('are told by a node that stops where to go on elsewhere', () => {
    const scene = new Scene();
    const [level, behind] = [new Reader(), new Reader(1)];
    for (const reader of [level, behind]) scene.ask(reader, all);
    for (let rev = 1; rev <= 5; rev += 1) scene.set('/a');
    scene.hands.run();
    for (const reader of [level, behind]) reader.shutDown();
    expect(level.closed).to.include({ code: 'SHUTTING_DOWN', resume: 6 });
    expect(behind.closed).to.include({ code: 'SHUTTING_DOWN', resume: 2 });
    expect(scene.watches.count).to.equal(0);
  });

  it('end at a node that will hear of nothing any more, which says so and takes no others', () => {
    const scene = new Scene();
    const [level, behind] = [new Reader(), new Reader(1)];
    for (const reader of [level, behind]) scene.ask(reader, all);
    scene.ask(level, { op: 'watch', cluster: true });
    for (let rev = 1; rev <= 5; rev += 1) scene.set('/a');
    scene.hands.run();
    scene.watches.sweep();
    expect(scene.watches.count).to.equal(3);
    scene.farewell = failure('NOT_LEADER', 'removed', { leader: null, removed: true });
    scene.watches.sweep();
    expect(level.closed).to.include({ code: 'NOT_LEADER', removed: true, resume: 6 });
    expect(behind.closed).to.include({ code: 'NOT_LEADER', removed: true, resume: 2 });
    expect(scene.watches.count).to.equal(0);
    for (const request of [{ ...all, from: 2 }, { op: 'watch', cluster: true } as const])
      expect(scene.ask(new Reader(), request)).to.have.nested.property('error.code', 'NOT_LEADER');
  });

  it('are no more on one connection than it may have', () => {
    const scene = new Scene();
    const reader = new Reader();
    for (let count = 0; count < 10_000; count += 1) scene.ask(reader, { op: 'watch', key: `/${count}` });
    const refused = scene.ask(reader, all);
    expect(refused).to.have.property('error').that.includes({ code: 'BUSY', retry: true });
    scene.ask(reader, { op: 'unwatch', watch: 7 });
    expect(scene.ask(reader, all)).to.include({ ok: true, watch: 10_001 });
  });
});
