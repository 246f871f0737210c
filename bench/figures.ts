import type { Spread } from './measure.ts';
import { measureReplay } from './replay.ts';
import { measureStart } from './start.ts';

/** One number, with what it should be, in words. */
export interface FigureLine {
  readonly name: string;
  readonly value: Spread;
  readonly unit: string;
  /** Digits behind the point. */
  readonly digits: number;
  readonly goal?: string;
}

/** What is measured once a run, and not as a row of a table. */
export interface Figure {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  /** About how many milliseconds it takes. */
  readonly takes: (isQuick: boolean) => number;
  readonly measure: (directory: string, isQuick: boolean) => Promise<readonly FigureLine[]>;
}

export interface MeasuredFigure {
  readonly figure: Figure;
  readonly lines: readonly FigureLine[];
}

const start: Figure = {
  name: 'start',
  title: 'Start',
  about:
    'From the start of a process until it listens: a node with an empty directory beside a bare server of Node.',
  takes: isQuick => (isQuick ? 1_500 : 5_000),
  async measure(directory, isQuick) {
    const { bare, node, above } = await measureStart(directory, isQuick ? 5 : 15);
    const inMs = { unit: 'ms', digits: 0 };
    return [
      { name: 'bare Node', value: bare, ...inMs },
      { name: 'a node', value: node, ...inMs },
      { name: 'a node above bare Node', value: above, ...inMs, goal: 'at most 30 ms' },
    ];
  },
};

const replay: Figure = {
  name: 'replay',
  title: 'Replay',
  about:
    'A new process reads a log back: entries with values of 100 bytes, each with its checksum, checked and parsed.',
  takes: isQuick => (isQuick ? 6_000 : 30_000),
  async measure(directory, isQuick) {
    const { entries, entriesPerSecond } = await measureReplay(directory, isQuick ? 100_000 : 1_000_000, 5);
    const goal = isQuick ? {} : { goal: 'at least 600,000' };
    const name = `${entries.toLocaleString('en')} entries`;
    return [{ name, value: entriesPerSecond, unit: 'a second', digits: 0, ...goal }];
  },
};

export const FIGURES: readonly Figure[] = [start, replay];
