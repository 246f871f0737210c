import { format } from 'node:util';
import debug from 'debug';

/** Debug text that may wait for a reader of standard error; beyond it, lines are dropped, and the next one says so. */
const MOST_WAITING = 1_048_576;

let dropped = 0;

/**
 * A logger of the namespace `raftline:NAME`, silent unless `DEBUG` asks for it (`DEBUG=raftline:*`). A reader that
 * has stopped reading costs neither time nor memory without bound.
 */
export function logger(name: string): debug.Debugger {
  const log = debug(`raftline:${name}`);
  log.log = (...parts) => {
    if (process.stderr.writableLength > MOST_WAITING) {
      dropped += 1;
      return;
    }
    const gap = dropped > 0 ? `(${dropped} lines dropped: standard error was not read)\n` : '';
    dropped = 0;
    process.stderr.write(`${gap}${format(...parts)}\n`);
  };
  return log;
}
