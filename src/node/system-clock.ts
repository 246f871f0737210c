import type { Clock } from '../ports/clock.ts';

/** The process's own clock and event loop. What it schedules keeps no process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  soon: run => void setImmediate(run),
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds).unref();
    return { stop: () => clearTimeout(timer) };
  },
  every(milliseconds, run) {
    const timer = setInterval(run, milliseconds).unref();
    return { stop: () => clearInterval(timer) };
  },
};
