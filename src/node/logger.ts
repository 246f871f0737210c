import { createRequire } from 'node:module';
import { format } from 'node:util';
import type debug from 'debug';

/** Debug text that may wait for a reader of standard error; beyond it, lines are dropped, and the next one says so. */
const MOST_WAITING = 1_048_576;

/** Says something in the words of `util.format`. */
export type Log = (...parts: unknown[]) => void;

let dropped = 0;

/**
 * A logger of the namespace `raftline:NAME`, silent unless `DEBUG` asks for it (`DEBUG=raftline:*`). A reader that
 * has stopped reading costs neither time nor memory without bound.
 */
export function logger(name: string): Log {
  // The package and what it brings along take a tenth of the time in which a node starts.
  if (!process.env.DEBUG) return () => {};
  const create = createRequire(import.meta.url)('debug') as typeof debug;
  const log = create(`raftline:${name}`);
  log.log = (...parts) => {
    if (process.stderr.writableLength > MOST_WAITING) {
      dropped += 1;
      return;
    }
    const gap = dropped > 0 ? `(${dropped} lines dropped: standard error was not read)\n` : '';
    dropped = 0;
    process.stderr.write(`${gap}${format(...parts)}\n`);
  };
  return (...parts) => log(...(parts as [unknown]));
}
