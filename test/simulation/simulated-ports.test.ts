import { expect } from 'chai';
import type { FileSystem } from '../../src/node/file-system.ts';
import { Dice } from '../simulator/dice.ts';
import { EventLoop, MS } from '../simulator/event-loop.ts';
import { SimDisk } from '../simulator/sim-disk.ts';
import { Timeline } from '../simulator/timeline.ts';

interface Machine {
  readonly disk: SimDisk;
  readonly files: FileSystem;
  readonly timeline: Timeline;
}

function machine(seed: number): Machine {
  const timeline = new Timeline();
  const disk = new SimDisk({
    dice: new Dice(seed),
    after: (delay, run) => void timeline.after(delay, run),
    onDurable: () => {},
  });
  return { disk, files: disk.filesFor(run => run()), timeline };
}

function write(files: FileSystem, fd: number, text: string, position: number): number {
  return files.write(fd, Buffer.from(text), 0, text.length, position);
}

/** What a path holds, or undefined where there is no such file. */
function contentOf({ disk }: Machine, path: string): string | undefined {
  const files = disk.filesFor(run => run());
  try {
    const buffer = Buffer.alloc(64);
    return buffer.toString('latin1', 0, files.read(files.open(path, 'r'), buffer, 0, 64, 0));
  } catch {
    return undefined;
  }
}

/** What a loss of power leaves of a file, with many different dice. */
function remains(path: string, prepare: (machine: Machine) => void): Set<string | undefined> {
  const left = new Set<string | undefined>();
  for (let seed = 0; seed < 2_000; seed += 1) {
    const one = machine(seed);
    prepare(one);
    one.disk.losePower();
    left.add(contentOf(one, path));
  }
  return left;
}

describe('a simulated disk', () => {
  it('keeps what was synced, and any part of what was written since, with NULs behind it at times', () => {
    const left = remains('/a', ({ files }) => {
      const fd = files.open('/a', 'a');
      write(files, fd, 'kept', 0);
      files.fsyncNow(fd);
      files.fsyncNow(files.open('/', 'r'));
      write(files, fd, 'new', 4);
    });
    expect([...left]).to.have.members([
      ...['kept', 'keptn', 'keptne', 'keptnew'],
      ...['kept\0', 'kept\0\0', 'kept\0\0\0', 'keptn\0', 'keptn\0\0', 'keptne\0'],
    ]);
  });

  it('loses a file whose directory was not synced, however well the file was', () => {
    const left = remains('/a', ({ files }) => {
      const fd = files.open('/a', 'a');
      write(files, fd, 'a', 0);
      files.fsyncNow(fd);
    });
    expect([...left]).to.have.members([undefined, 'a']);
  });

  it('has the one file or the other after a rename', () => {
    const left = remains('/a', ({ files }) => {
      for (const [path, text] of [
        ['/a', 'old'],
        ['/b', 'new'],
      ] as const) {
        const fd = files.open(path, 'w');
        write(files, fd, text, 0);
        files.fsyncNow(fd);
      }
      files.fsyncNow(files.open('/', 'r'));
      files.rename('/b', '/a');
    });
    expect([...left]).to.have.members(['old', 'new']);
  });

  it('covers with a sync what was written before it began, and nothing later', () => {
    const left = remains('/a', ({ files, timeline }) => {
      const fd = files.open('/a', 'a');
      files.fsyncNow(files.open('/', 'r'));
      write(files, fd, 'x', 0);
      files.fdatasync(fd, () => {});
      write(files, fd, 'y', 1);
      timeline.step(1_000 * MS);
    });
    expect([...left]).to.have.members(['x', 'xy', 'x\0']);
  });

  it('writes short before it is full, and then no more', () => {
    const { disk, files } = machine(1);
    const fd = files.open('/a', 'a');
    disk.room = 3;
    expect(write(files, fd, 'abcde', 0)).to.equal(3);
    expect(() => write(files, fd, 'de', 3)).to.throw('ENOSPC');
    files.truncate(fd, 0);
    expect(write(files, fd, 'ab', 0)).to.equal(2);
  });
});

describe('a simulated process', () => {
  function loop(rate: number): { loop: EventLoop; timeline: Timeline; seen: string[] } {
    const timeline = new Timeline();
    const onThrow = (error: unknown) => {
      throw error;
    };
    return {
      loop: new EventLoop({ timeline, dice: new Dice(1), rate, onThrow, onRan: () => {} }),
      timeline,
      seen: [],
    };
  }

  function pass(timeline: Timeline, milliseconds: number): void {
    const until = timeline.now + milliseconds * MS;
    while (timeline.step(until));
  }

  it('runs its timers, each once, before what has arrived, when it goes on after a pause', () => {
    const { loop: process, timeline, seen } = loop(1);
    process.clock.every(10, () => seen.push('tick'));
    process.pause();
    process.arrive(() => seen.push('message'));
    pass(timeline, 100);
    expect(seen).to.deep.equal([]);
    process.resume();
    expect(seen).to.deep.equal(['tick', 'message']);
  });

  it('runs nothing any more when it has ended', () => {
    const { loop: process, timeline, seen } = loop(1);
    process.clock.after(10, () => seen.push('timer'));
    process.clock.soon(() => seen.push('soon'));
    process.end();
    process.arrive(() => seen.push('message'));
    pass(timeline, 100);
    expect(seen).to.deep.equal([]);
  });

  it('has a clock that may run fast or slow', () => {
    const { loop: process, timeline } = loop(1.5);
    pass(timeline, 100);
    expect(process.clock.now()).to.be.closeTo(150, 0.1);
  });
});
