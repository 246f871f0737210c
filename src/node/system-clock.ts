import type { Clock } from '../ports/clock.ts';
import { decideSoon } from './loop-end.ts';

/** The process's own clock and event loop. What it schedules keeps no process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  soon: decideSoon,
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds).unref();
    return { stop: () => clearTimeout(timer) };
  },
  every(milliseconds, run) {
    const timer = setInterval(run, milliseconds).unref();
    return { stop: () => clearInterval(timer) };
  },
};
